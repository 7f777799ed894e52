//! libvirt's domain XML, as `virsh dumpxml` prints it and /etc/libvirt/qemu and /run/libvirt/qemu keep it
//! (<https://libvirt.org/formatdomain.html>). Several documents may stand in one file.

use lastwords_record::{Guest, Placement};
use roxmltree::{Document, Node};

use super::about::{About, Unreadable, host, named_host};

pub(super) fn read(text: &str, about: &About<'_>) -> Result<Vec<Placement>, Unreadable> {
    let named = named_host(about, "domain XML")?;
    // An XML document has one root; several domains in a file get one around them.
    let body = text
        .replace("<?xml version='1.0' encoding='UTF-8'?>", "")
        .replace("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "");
    let whole = format!("<domains>{body}</domains>");
    let document =
        Document::parse(&whole).map_err(|error| Unreadable(format!("the XML cannot be read: {error}")))?;
    let domains: Vec<Placement> = document
        .descendants()
        .filter(|node| node.has_tag_name("domain"))
        .map(|domain| placement(domain, named, about.since_ns))
        .collect::<Result<_, _>>()?;
    if domains.is_empty() {
        return Err(Unreadable("there is no <domain> in it".to_owned()));
    }
    Ok(domains)
}

fn placement(domain: Node<'_, '_>, named: &str, start_ns: i64) -> Result<Placement, Unreadable> {
    let child = |name: &str| domain.children().find(|node| node.has_tag_name(name));
    let text = |name: &str| child(name).and_then(|node| node.text()).map(|text| text.trim().to_owned());
    let name = text("name").ok_or_else(|| Unreadable("a <domain> has no <name>".to_owned()))?;
    let mut attributes =
        vec![("hypervisor".to_owned(), domain.attribute("type").unwrap_or("unknown").to_owned())];
    let mut add = |name: &str, value: Option<String>| {
        attributes.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("memory_mib", child("currentMemory").or(child("memory")).and_then(mebibytes));
    add("memory_max_mib", child("memory").and_then(mebibytes));
    add("vcpus", text("vcpu"));
    let os = child("os");
    let of_os = |name: &str| os.and_then(|os| os.children().find(|node| node.has_tag_name(name)));
    add("machine", of_os("type").and_then(|kind| kind.attribute("machine")).map(str::to_owned));
    add("architecture", of_os("type").and_then(|kind| kind.attribute("arch")).map(str::to_owned));
    add("kernel", of_os("kernel").and_then(|node| node.text()).map(str::to_owned));
    add("cpu", child("cpu").and_then(|cpu| cpu.attribute("mode")).map(str::to_owned));
    if let Some(devices) = child("devices") {
        let of = |kind: &str| devices.children().filter(|node| node.has_tag_name(kind)).collect::<Vec<_>>();
        let disks: Vec<_> =
            of("disk").into_iter().filter(|disk| disk.attribute("device") != Some("cdrom")).collect();
        add("disks", Some(disks.len().to_string()));
        add("interfaces", Some(of("interface").len().to_string()));
        let inner = |nodes: &[Node<'_, '_>], tag: &str, attribute: &str| {
            let mut found: Vec<String> = nodes
                .iter()
                .flat_map(Node::children)
                .filter(|node| node.has_tag_name(tag))
                .filter_map(|node| node.attribute(attribute).map(str::to_owned))
                .collect();
            found.sort();
            found.dedup();
            (!found.is_empty()).then(|| found.join(","))
        };
        add("disk_bus", inner(&disks, "target", "bus"));
        add("disk_cache", inner(&disks, "driver", "cache"));
        add("interface_model", inner(&of("interface"), "model", "type"));
        add("bridge", inner(&of("interface"), "source", "bridge"));
    }
    attributes.sort();
    let uuid = text("uuid").unwrap_or_default().to_ascii_lowercase();
    Ok(Placement { host: host(named), guest: Guest { name, uuid }, start_ns, end_ns: None, attributes })
}

/// `<memory unit='KiB'>` in MiB; KiB where no unit stands.
fn mebibytes(node: Node<'_, '_>) -> Option<String> {
    let value: u64 = node.text()?.trim().parse().ok()?;
    let bytes = match node.attribute("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1_000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1_u64 << 40,
        _ => return None,
    };
    Some((value.checked_mul(bytes)? >> 20).to_string())
}
