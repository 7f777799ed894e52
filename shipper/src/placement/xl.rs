//! `xl list -l`: JSON of every domain with its configuration, as libxl writes it (tools/libs/light/libxl_types.idl of
//! Xen). Dom0 is the host itself and no guest.

use lastwords_record::{Guest, Placement};
use serde_json::Value;

use super::about::{About, Unreadable, host, named_host};

pub(super) fn read(text: &str, about: &About<'_>) -> Result<Vec<Placement>, Unreadable> {
    let named = named_host(about, "xl list -l")?;
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Unreadable(format!("the JSON cannot be read: {error}")))?;
    let domains = match &value {
        Value::Array(domains) => domains.as_slice(),
        one => std::slice::from_ref(one),
    };
    let guests = domains.iter().filter(|domain| domain.get("domid").and_then(Value::as_u64) != Some(0));
    guests.map(|domain| placement(domain, named, about.since_ns)).collect()
}

fn placement(domain: &Value, named: &str, start_ns: i64) -> Result<Placement, Unreadable> {
    let config = domain.get("config").unwrap_or(domain);
    let text = |pointer: &str| match config.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let name =
        text("/c_info/name").ok_or_else(|| Unreadable("a domain has no config.c_info.name".to_owned()))?;
    let mebibytes = |pointer: &str| {
        let kibibytes: u64 = text(pointer)?.parse().ok()?;
        Some((kibibytes >> 10).to_string())
    };
    let count = |pointer: &str| Some(config.pointer(pointer)?.as_array()?.len().to_string());
    let mut attributes = vec![("hypervisor".to_owned(), "xen".to_owned())];
    for (name, value) in [
        ("type", text("/c_info/type")),
        ("vcpus", text("/b_info/max_vcpus")),
        ("memory_mib", mebibytes("/b_info/target_memkb")),
        ("memory_max_mib", mebibytes("/b_info/max_memkb")),
        ("kernel", text("/b_info/kernel").or_else(|| text("/b_info/type.pv/kernel"))),
        ("disks", count("/disks")),
        ("interfaces", count("/nics")),
    ] {
        attributes.extend(value.map(|value| (name.to_owned(), value)));
    }
    attributes.sort();
    let uuid = text("/c_info/uuid").unwrap_or_default().to_ascii_lowercase();
    Ok(Placement { host: host(named), guest: Guest { name, uuid }, start_ns, end_ns: None, attributes })
}
