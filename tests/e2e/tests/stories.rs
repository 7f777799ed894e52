//! Nights that really happened, as their reports tell them: lines on two machines, one question, the answer. And the
//! other forms of question on the same store.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{fs, path::Path};

use lastwords_e2e::program::run;
use serde_json::Value;
use tempfile::TempDir;

/// A store with what some machines wrote.
struct Night {
    folder: TempDir,
}

impl Night {
    fn new() -> Night {
        Night { folder: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> String {
        self.folder.path().join("data").to_str().unwrap().to_owned()
    }

    /// Lines of one machine, each with its time within 2026-11-20, as `10:00:00 text`.
    fn wrote(&self, host: &str, guest: Option<&str>, lines: &[&str]) {
        let name = format!("{host}-{}.log", guest.unwrap_or("host"));
        let tag = guest.unwrap_or(host);
        let text: String = lines
            .iter()
            .map(|line| {
                let (time, text) = line.split_once(' ').unwrap();
                format!("2026-11-20T{time}Z {tag} kernel: {text}\n")
            })
            .collect();
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        let data = self.data();
        let mut arguments = vec!["import", "--data", &data, "--host", host];
        arguments.extend(guest.iter().flat_map(|guest| ["--guest", *guest, "--source", "console"]));
        arguments.push(path.to_str().unwrap());
        let _ = run(arguments).expect(0);
    }

    fn placed(&self, csv: &str) -> Value {
        let path = self.folder.path().join("stays.csv");
        fs::write(&path, csv).unwrap();
        self.placed_from(&path, &[])
    }

    fn placed_from(&self, path: &Path, more: &[&str]) -> Value {
        let data = self.data();
        let mut arguments = vec!["placement", "import", "--format", "json", "--data", &data];
        arguments.extend(more);
        arguments.push(path.to_str().unwrap());
        run(arguments).expect(0).json()
    }

    fn ask(&self, question: &str) -> Value {
        let data = self.data();
        run(["query", "--data", &data, "--format", "json", "--time-zone", "UTC", question]).json()
    }

    /// Asks, and wants so many matches of so many.
    fn answers(&self, question: &str, matched: u64, anchors: u64) -> Value {
        let answer = self.ask(question);
        assert_eq!(
            (&answer["matched"], &answer["anchors"]),
            (&matched.into(), &anchors.into()),
            "{question}: {answer:#}"
        );
        answer
    }
}

#[test]
fn populate_on_demand_runs_out_and_guests_die_without_a_word() {
    let night = Night::new();
    night.wrote(
        "hv01",
        None,
        &[
            "10:00:00 (XEN) p2m_pod_demand_populate: Dom5 out of PoD memory! (tot=524290 ents=524256 dom5)",
            "10:00:00 (XEN) domain_crash called from p2m-pod.c:1218",
            "10:00:00 (XEN) Domain 5 (vcpu#0) crashed on cpu#3:",
            "10:13:00 (XEN) p2m_pod_demand_populate: Dom6 out of PoD memory! (tot=524290 ents=524256 dom6)",
            "10:13:00 (XEN) domain_crash called from p2m-pod.c:1218",
            "10:13:00 (XEN) Domain 6 (vcpu#1) crashed on cpu#1:",
        ],
    );
    night.wrote("hv01", Some("web07"), &["09:59:50 app[1]: 200 requests handled"]);
    let answer = night.ask("xen.domain_crash within 1 minute after \"out of PoD memory\"");
    assert!(answer["matched"].as_u64().unwrap() >= 2, "{answer:#}");
    assert_eq!(answer["matched"], answer["anchors"]);
}

#[test]
fn a_card_hangs_for_an_hour_before_its_host_panics() {
    let night = Night::new();
    let hang = "ixgbe 0000:01:00.0 eth0: Detected Tx Unit Hang";
    night.wrote(
        "hv01",
        None,
        &[
            &format!("10:00:00 {hang}"),
            &format!("10:00:30 {hang}"),
            &format!("10:01:00 {hang}"),
            "11:15:30 Kernel panic - not syncing: Fatal exception in interrupt",
        ],
    );
    night.wrote(
        "hv02",
        None,
        &["11:15:00 Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009"],
    );
    let answer = night.answers("panics within 2h after \"Detected Tx Unit Hang\"", 1, 2);
    assert_eq!(answer["matches"][0]["host"], "hv01");
    assert_eq!(answer["matches"][0]["partners"].as_array().unwrap().len(), 3, "all partners are listed");
    assert_eq!(answer["matches"][0]["partners"][0]["lag_seconds"], 4470.0, "the nearest first");
}

#[test]
fn a_guest_moves_and_its_disk_aborts_where_it_came_to() {
    let night = Night::new();
    night.wrote("hv01", None, &["10:00:00 libvirtd: migration of web07 to hv02 begins"]);
    night.wrote("hv02", None, &["10:00:20 libvirtd: migration of web07 has finished"]);
    // The guest's own shipper knows itself and no host.
    night.wrote("web07", Some("web07"), &["10:00:50 nvme nvme0: I/O 12 QID 2 timeout, aborting"]);
    let question = "\"timeout, aborting\" within 1m after \"has finished\"";
    night.answers(question, 0, 1);
    let csv = "host,guest,uuid,start,end,memory_mib\n\
               hv01,web07,0d6b9b34-0000-4000-8000-000000000007,2026-11-01T00:00:00Z,2026-11-20T10:00:20Z,4096\n\
               hv02,web07,0d6b9b34-0000-4000-8000-000000000007,2026-11-20T10:00:20Z,,4096\n";
    assert_eq!(night.placed(csv)["placements"], 2);
    night.placed(csv);
    let data = night.data();
    let rows =
        run(["query", "--data", &data, "--format", "json", "SELECT count() AS rows FROM placement"]).json();
    assert_eq!(rows[0]["rows"], 2, "the same file again adds nothing");
    night.answers(question, 1, 1);
    night.answers("\"timeout, aborting\" within 1m after \"begins\"", 0, 1);
}

#[test]
fn a_guests_own_log_is_of_the_host_whose_console_log_it_was_seen_in() {
    let night = Night::new();
    night.wrote("hv01", None, &["10:00:05 ixgbe 0000:01:00.0 eth0: Detected Tx Unit Hang"]);
    night.wrote("web07", Some("web07"), &["10:00:00 booted", "10:00:10 app[1]: the database is gone"]);
    let question = "\"the database is gone\" within 1m after \"Detected Tx Unit Hang\"";
    night.answers(question, 0, 1);
    night.wrote(
        "hv01",
        Some("web07"),
        &["09:59:00 Linux version 6.1.0", "10:00:12 Kernel panic - not syncing: it died"],
    );
    night.answers(question, 1, 1);
    night.answers("\"the database is gone\" within 1m before panics on the same guest", 1, 1);
    let data = night.data();
    let sql = "SELECT Host, Guest, toString(Start) AS start, toString(End) AS end FROM placement";
    let rows = run(["query", "--data", &data, "--format", "json", sql]).json();
    let [row] = rows.as_array().unwrap().as_slice() else { panic!("one stay, found {rows:#}") };
    assert_eq!((&row["Host"], &row["Guest"]), (&"hv01".into(), &"web07".into()));
    assert_eq!(row["start"], "2026-11-20 09:59:00.000000000");
    assert_eq!(row["end"], "2026-11-20 10:00:12.000000001");
    // What was imported as placement knows better.
    night.placed(
        "host,guest,uuid,start,end\nhv02,web07,0d6b9b34-0000-4000-8000-000000000007,2026-11-01T00:00:00Z,\n",
    );
    night.answers(question, 0, 1);
}

#[test]
fn a_backend_stalls_and_many_guests_go_read_only() {
    let night = Night::new();
    night.wrote("hv01", None, &["10:00:00 nfs: server 10.0.0.9 not responding, still trying"]);
    for guest in ["web01", "web02", "db01"] {
        night.wrote("hv01", Some(guest), &["10:00:12 EXT4-fs (vda1): Remounting filesystem read-only"]);
    }
    night.wrote("hv02", Some("web09"), &["14:00:12 EXT4-fs (vda1): Remounting filesystem read-only"]);
    let answer = night.answers(
        "\"Remounting filesystem read-only\" within 30s after \"not responding\" by guest",
        3,
        4,
    );
    assert_eq!(answer["top_guests"].as_array().unwrap().len(), 3);
}

#[test]
fn qemu_is_locked_up_and_the_guest_stalls() {
    let night = Night::new();
    night.wrote(
        "hv01",
        None,
        &["10:00:00 watchdog: BUG: soft lockup - CPU#12 stuck for 22s! [CPU 3/KVM:4242]"],
    );
    night.wrote(
        "hv01",
        Some("web07"),
        &[
            "10:00:21 rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "10:00:21 rcu: 	3-...!: (0 ticks this GP) idle=b50/0/0x0",
        ],
    );
    night.answers("kernel.rcu_stall within 1m after kernel.lockup.soft", 1, 1);
}

#[test]
fn the_host_kills_a_guest_for_memory() {
    let night = Night::new();
    night.wrote(
        "hv01",
        None,
        &[
            "10:00:00 CPU 3/KVM invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0",
            "10:00:00 Out of memory: Killed process 4242 (CPU 3/KVM) total-vm:9200000kB, anon-rss:8300000kB, file-rss:0kB, shmem-rss:0kB, UID:107 pgtables:16800kB oom_score_adj:0",
            "12:00:00 systemd[1]: Started daily apt.",
        ],
    );
    night.wrote("hv01", Some("web07"), &["09:00:00 app[1]: up", "09:59:58 app[1]: up"]);
    night.wrote(
        "hv01",
        Some("web08"),
        &["09:59:00 app[1]: up", "10:59:00 app[1]: up", "11:59:30 app[1]: up"],
    );
    let answer = night.ask("guests silent for 90 minutes on host hv01");
    assert_eq!(answer["matched"], 1, "{answer:#}");
    assert_eq!(answer["rows"][0]["machine"], "hv01/web07");
    assert_eq!(answer["rows"][0]["from"], "2026-11-20T09:59:58.000000000Z");
    let killed = night.ask("oom kills within 5s of \"invoked oom-killer\"");
    assert!(killed["matched"].as_u64().unwrap() >= 1, "{killed:#}");
}

#[test]
fn dom0_panics_and_the_hypervisor_follows() {
    let night = Night::new();
    night.wrote(
        "hv01",
        None,
        &[
            "10:00:00 Kernel panic - not syncing: Fatal exception",
            "10:00:00 (XEN) Hardware Dom0 crashed: rebooting machine in 5 seconds.",
        ],
    );
    night.answers("\"rebooting machine in 5 seconds\" within 10s after panics", 1, 1);
}

#[test]
fn allocation_failures_fill_the_disk_with_their_own_log() {
    let night = Night::new();
    night.wrote(
        "hv01",
        None,
        &[
            "10:00:00 ksoftirqd/3: page allocation failure: order:2, mode:0x4020(GFP_ATOMIC|__GFP_COMP), nodemask=(null)",
            "10:40:00 rsyslogd: file '/var/log/kern.log'[7] write error: No space left on device",
        ],
    );
    night.answers("\"No space left on device\" within 1h after memory.allocation_failure", 1, 1);
}

#[test]
fn chains_places_labels_and_attributes_are_understood_by_a_store() {
    let night = Night::new();
    let csv = "host,guest,uuid,start,rack,memory_mib\n\
               hv01,,,2026-01-01T00:00:00Z,b7,\n\
               hv02,,,2026-01-01T00:00:00Z,b7,\n\
               hv03,,,2026-01-01T00:00:00Z,c1,\n\
               hv01,web01,u1,2026-01-01T00:00:00Z,,5120\n\
               hv01,web02,u2,2026-01-01T00:00:00Z,,4096\n";
    assert_eq!(night.placed(csv)["guests"], 2);
    let panic = "Kernel panic - not syncing: Fatal exception";
    night.wrote("hv01", Some("web01"), &[&format!("10:02:00 {panic}")]);
    night.wrote("hv03", None, &[&format!("10:02:30 {panic}")]);
    night.wrote("hv02", None, &["10:01:00 switch is rebooted"]);
    night.wrote("hv01", None, &["09:30:00 ansible: deploy begins"]);
    let near = "panics within 5m after \"switch is rebooted\"";
    night.answers(near, 0, 2);
    let answer = night.answers(&format!("{near} on the same rack"), 1, 2);
    assert!(answer["sentence"].as_str().unwrap().contains("on the same rack"), "{answer:#}");
    night.answers(&format!("{near} anywhere"), 2, 2);
    night.answers(&format!("{near} on the same rack not within 10m after \"deploy begins\""), 1, 1 + 1);
    let none = night.answers(&format!("{near} on the same rack not within 1h after \"deploy begins\""), 0, 1);
    assert!(none["notes"].to_string().contains("do not meet the other conditions: 1"), "{none:#}");
    night.answers("panics on rack b7", 1, 1);
    night.answers("panics on guest web01 or web02", 1, 1);
    let racks = night.ask("panics by rack");
    assert_eq!(racks["by"]["groups"].as_array().unwrap().len(), 2, "{racks:#}");
    let alone = night.answers("panics not within 5m after \"switch is rebooted\" on the same rack", 1, 2);
    assert!(alone["sentence"].as_str().unwrap().contains("did not come within"), "{alone:#}");
    let guests = night.ask("what distinguishes guests with panics");
    assert_eq!(guests["figures"]["with_events"], 1, "{guests:#}");
    let changed = night.ask("panics before and after 2026-11-20 10:02:15");
    assert_eq!(
        (&changed["figures"]["before"]["episodes"], &changed["figures"]["after"]["episodes"]),
        (&1.into(), &1.into())
    );
    let explained = run(["query", "--data", &night.data(), "--explain", near]);
    assert!(
        explained.expect(0).stdout.contains("understood as: kernel.panic within 5m after"),
        "it says what is understood"
    );
}

#[test]
fn xml_and_xl_say_who_runs_where() {
    let night = Night::new();
    let xml = night.folder.path().join("web07.xml");
    fs::write(
        &xml,
        "<domain type='kvm' id='3'><name>web07</name><uuid>0D6B9B34-0000-4000-8000-000000000007</uuid>\
         <memory unit='GiB'>8</memory><currentMemory unit='KiB'>4194304</currentMemory><vcpu placement='static'>4</vcpu>\
         <os><type arch='x86_64' machine='pc-q35-8.2'>hvm</type></os><devices>\
         <disk type='file' device='disk'><driver name='qemu' cache='none'/><target dev='vda' bus='virtio'/></disk>\
         <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>\
         <interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface></devices></domain>\n",
    )
    .unwrap();
    let xl = night.folder.path().join("xl.json");
    fs::write(
        &xl,
        r#"[{"domid":0,"config":{"c_info":{"type":"pv","name":"Domain-0"}}},
            {"domid":5,"config":{"c_info":{"type":"hvm","name":"db01","uuid":"1d6b9b34-0000-4000-8000-000000000001"},
             "b_info":{"max_vcpus":2,"max_memkb":2097152,"target_memkb":2097152},"disks":[{},{}],"nics":[{}]}}]"#,
    )
    .unwrap();
    let since = ["--since", "2026-11-01T00:00:00Z"];
    night.placed_from(&xml, &[&["--host", "hv01"][..], &since].concat());
    night.placed_from(&xl, &[&["--host", "hv02"][..], &since].concat());
    let data = night.data();
    let rows = run([
        "query",
        "--data",
        &data,
        "--format",
        "json",
        "SELECT Host, Guest, toString(GuestUuid) AS uuid, Attributes FROM placement ORDER BY Host",
    ])
    .json();
    assert_eq!(rows[0]["Guest"], "web07");
    assert_eq!(rows[0]["uuid"], "0d6b9b34-0000-4000-8000-000000000007");
    let attributes = &rows[0]["Attributes"];
    for (name, value) in [
        ("memory_mib", "4096"),
        ("memory_max_mib", "8192"),
        ("vcpus", "4"),
        ("disks", "1"),
        ("disk_bus", "virtio"),
        ("bridge", "br0"),
    ] {
        assert_eq!(attributes[name], value, "{name} in {attributes}");
    }
    assert_eq!(
        (&rows[1]["Guest"], &rows[1]["Attributes"]["disks"]),
        (&"db01".into(), &"2".into()),
        "dom0 is no guest"
    );
    assert_eq!(rows.as_array().unwrap().len(), 2);
    // What cannot be known is asked for.
    let refused = run(["placement", "import", "--data", &data, xml.to_str().unwrap()]);
    assert!(refused.expect(2).stderr.contains("--host"));
}

#[test]
fn matches_are_a_table_in_sql() {
    let night = Night::new();
    let fill = "nf_conntrack: nf_conntrack: table full, dropping packet";
    night.wrote(
        "hv01",
        None,
        &[
            "10:00:00 it's a start \\ really",
            &format!("10:01:00 {fill}"),
            "10:02:00 Kernel panic - not syncing: it's \"dead\" \\",
        ],
    );
    night.wrote("hv02", None, &["10:02:00 Kernel panic - not syncing: hung_task: blocked tasks"]);
    let rows = |sql: &str| {
        let found = run(["query", "--data", &night.data(), "--format", "jsonl", "--time-zone", "UTC", sql]);
        found.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let found = rows(
        "SELECT Host, Title, Lag, Start - PartnerStart AS apart, PartnerClass, Partners \
         FROM correlate('panics', 'network.saturation.conntrack', '5m after')",
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0]["Host"], &found[0]["Lag"]), (&"hv01".into(), &60.into()));
    assert_eq!(found[0]["PartnerClass"], "network.saturation.conntrack");
    assert!(found[0]["Title"].as_str().unwrap().contains("it's \"dead\" \\"), "{found:?}");
    let counted =
        rows("SELECT count() AS n, uniq(Host) AS hosts FROM correlate('panics since 2026-11-20 10:00')");
    assert_eq!((&counted[0]["n"], &counted[0]["hosts"]), (&2.into(), &2.into()));
    let joined = rows(
        "SELECT l.Body FROM correlate('panics', 'network saturation', '5m') AS c JOIN logs AS l ON l.Host = c.Host \
         WHERE l.Timestamp < c.Start ORDER BY l.Timestamp",
    );
    assert_eq!(joined.len(), 2, "the lines before the panic: {joined:?}");
    assert!(rows("SELECT * FROM correlate('panics within 1s of network saturation')").is_empty());
}

#[test]
fn new_messages_are_told_from_known_ones() {
    let night = Night::new();
    night.wrote(
        "hv01",
        None,
        &[
            "08:00:00 ovs-vsctl: port vnet1 added",
            "09:00:00 ovs-vsctl: port vnet2 added",
            "10:00:00 ovs-vsctl: port vnet3 added",
            "10:00:05 ovs-vswitchd: bridge br0 lost 17 flows",
        ],
    );
    night.wrote(
        "hv02",
        None,
        &["09:30:00 ovs-vswitchd: bridge br7 lost 3 flows", "10:30:00 ovs-vsctl: port vnet9 added"],
    );
    let all = night.ask("messages");
    assert_eq!((&all["matched"], &all["figures"]["records"]), (&2.into(), &6.into()), "{all:#}");
    assert_eq!((&all["rows"][0]["records"], &all["rows"][0]["hosts"]), (&4.into(), &2.into()));
    // On both hosts it has been said before ten; on one of them it has not.
    assert_eq!(night.ask("new messages since 2026-11-20 10:00")["matched"], 0);
    let new = night.ask("new messages since 2026-11-20 10:00 on host hv01");
    assert_eq!(new["matched"], 1, "{new:#}");
    assert!(new["rows"][0]["message"].as_str().unwrap().contains("flows"));
    let again = night.ask(new["rows"][0]["ask"].as_str().unwrap());
    assert_eq!(again["matched"], 2, "what it says to ask finds its records");
}
