//! Ways in which files are rotated, copied, moved and lost, one by one.

use super::*;

/// A world whose rule means every file of the folder, rotated ones, too.
fn world_of_all() -> World {
    let mut world = World::new();
    world.glob = "*";
    world.start();
    world
}

fn lines(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("line {number}\n")).collect()
}

fn expected(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}

#[test]
fn copytruncate_is_noticed_while_a_batch_already_holds_lines_of_other_files() {
    let mut world = World::new();
    for name in ["a.log", "b.log", "c.log"] {
        world.append(name, &format!("first of {name}\n"));
    }
    world.settle();
    world.copy_and_truncate("b.log");
    // Longer than what was read of it before.
    world.append("b.log", "second of b.log\nthird of b.log\n");
    world.append("a.log", "second of a.log\n");
    world.append("c.log", "second of c.log\n");
    world.scan();
    while world.form() {}
    world.settle();
    let mut lines = world.lines();
    lines.sort();
    assert_eq!(
        lines,
        [
            "first of a.log",
            "first of b.log",
            "first of c.log",
            "second of a.log",
            "second of b.log",
            "second of c.log",
            "third of b.log"
        ]
    );
    assert_eq!(world.losses(), [""; 0]);
}

#[test]
fn two_copytruncates_between_two_looks_are_read_in_their_order() {
    for away in [false, true] {
        let mut world = World::new();
        world.append("a.log", &lines(0..10));
        world.settle();
        world.meanwhile(away, |world| {
            world.append("a.log", &lines(10..14));
            world.copy_and_truncate("a.log");
            world.append("a.log", &lines(14..16));
            world.copy_and_truncate("a.log");
            world.append("a.log", &lines(16..20));
        });
        world.settle();
        assert_eq!(world.lines(), expected(0..20), "away: {away}");
    }
}

#[test]
fn a_file_that_begins_as_another_with_a_name_alike_is_read() {
    for (first, second) in [("worker", "worker-2"), ("job-1", "job-10"), ("a.log", "a.log.1")] {
        let mut world = world_of_all();
        world.append(first, "starting service\n");
        world.settle();
        world.append(second, "starting service\n");
        world.append(second, &lines(0..5));
        world.settle();
        assert_eq!(world.lines().len(), 7, "{second}");
        world.append(second, &lines(5..9));
        world.kill();
        world.settle();
        assert_eq!(world.lines().len(), 11, "{second}");
    }
}

#[test]
fn files_that_stay_alike_are_both_read() {
    let mut world = world_of_all();
    world.append("job-1", "starting service\n");
    world.settle();
    world.append("job-10", "starting service\n");
    for _ in 0..3 {
        world.settle();
    }
    assert_eq!(world.lines(), ["starting service", "starting service"]);
}

#[test]
fn a_copy_is_not_read_again_before_its_original_is_truncated() {
    let mut world = world_of_all();
    world.append("a.log", &lines(0..1_000));
    world.settle();
    fs::copy(world.path("a.log"), world.path("a.log.1")).unwrap();
    for _ in 0..3 {
        world.settle();
    }
    assert!(world.lines() == expected(0..1_000));
    fs::write(world.path("a.log"), "").unwrap();
    world.append("a.log", &lines(1_000..1_004));
    world.settle();
    assert!(world.lines() == expected(0..1_004));
}

#[test]
fn a_file_that_takes_anothers_name_with_its_content_goes_on_where_that_one_was() {
    for away in [false, true] {
        let mut world = World::new();
        world.append("a.log", &lines(0..10));
        world.settle();
        for round in 1..4 {
            world.meanwhile(away, |world| {
                fs::copy(world.path("a.log"), world.path("new")).unwrap();
                world.append("new", &lines(round * 10..round * 10 + 10));
                fs::rename(world.path("new"), world.path("a.log")).unwrap();
            });
            world.settle();
        }
        assert_eq!(world.lines(), expected(0..40), "away: {away}");
        assert_eq!(world.losses(), [""; 0]);
    }
}

#[test]
fn a_file_that_lost_its_last_lines_is_read_on_from_where_it_departs() {
    let mut world = World::new();
    world.append("a.log", &lines(0..500));
    world.settle();
    world.shipper = None;
    // A loss of power: what nobody synced is gone, and others write on.
    let kept = lines(0..493).len() as u64;
    OpenOptions::new().write(true).open(world.path("a.log")).unwrap().set_len(kept).unwrap();
    world.append("a.log", &lines(1_000..1_020));
    world.start();
    world.settle();
    assert_eq!(world.lines(), [expected(0..500), expected(1_000..1_020)].concat());
}

#[test]
fn a_file_that_is_moved_to_another_folder_that_is_followed_is_not_read_again() {
    for away in [false, true] {
        for copied in [false, true] {
            let mut world = World::new();
            world.glob = "**/*.log";
            world.start();
            fs::create_dir(world.path("other")).unwrap();
            world.append("a.log", &lines(0..100));
            world.settle();
            world.meanwhile(away, |world| {
                if copied {
                    fs::copy(world.path("a.log"), world.path("other/a.log")).unwrap();
                    fs::remove_file(world.path("a.log")).unwrap();
                } else {
                    fs::rename(world.path("a.log"), world.path("other/a.log")).unwrap();
                }
                world.append("other/a.log", &lines(100..105));
            });
            world.settle();
            world.settle();
            assert_eq!(world.lines(), expected(0..105), "away: {away}, copied: {copied}");
        }
    }
}

#[test]
fn a_rotated_file_that_was_moved_to_a_folder_nearby_while_nobody_looked_is_read() {
    for folder in ["old", "../kept"] {
        let mut world = World::new();
        fs::create_dir(world.path(folder)).unwrap();
        world.append("a.log", &lines(0..10));
        world.settle();
        world.meanwhile(true, |world| {
            world.append("a.log", &lines(10..20));
            fs::rename(world.path("a.log"), world.path(&format!("{folder}/a.log.1"))).unwrap();
            world.append("a.log", &lines(20..30));
        });
        world.settle();
        assert_eq!(world.lines(), expected(0..30), "{folder}");
    }
}

#[test]
fn a_file_that_is_gone_after_a_restart_is_told() {
    let mut world = World::new();
    world.append("a.log", &lines(0..10));
    world.settle();
    world.meanwhile(true, |world| fs::remove_file(world.path("a.log")).unwrap());
    world.settle();
    assert!(world.losses()[0].contains("a.log is gone"), "{:?}", world.losses());
}

#[test]
fn a_backlog_that_is_truncated_away_is_told_with_its_bytes() {
    let mut world = World::new();
    let mut config = world.config();
    config.window_bytes = 1;
    world.shipper = None;
    world.shipper = Some(Shipper::open(config, None, world.now()).unwrap());
    world.append("a.log", &"x".repeat(100).repeat(30_000).replace("xxxxxxxxxx", "yyyyyyyyy\n"));
    world.scan();
    assert!(world.form());
    fs::write(world.path("a.log"), "new beginning\n").unwrap();
    world.settle();
    assert!(world.losses()[0].contains("before all of it was read"), "{:?}", world.losses());
    assert!(world.lines().contains(&"new beginning".to_owned()));
}

#[test]
fn what_is_under_way_of_a_file_that_is_deleted_survives_a_restart() {
    for deleted_first in [false, true] {
        let mut world = World::new();
        world.append("a.log", &lines(0..10));
        world.scan();
        if deleted_first {
            fs::remove_file(world.path("a.log")).unwrap();
            world.scan();
        }
        assert!(world.form());
        world.shipper().sync().unwrap();
        if !deleted_first {
            fs::remove_file(world.path("a.log")).unwrap();
            world.scan();
        }
        world.shipper().sync().unwrap();
        world.scan();
        world.kill();
        world.send();
        assert_eq!(world.lines(), expected(0..10), "deleted first: {deleted_first}");
        world.settle();
        assert_eq!(world.losses(), [""; 0], "deleted first: {deleted_first}");
    }
}

#[test]
fn rotated_files_that_zstd_compressed_are_read() {
    let mut world = World::new();
    world.append("a.log", &lines(0..10));
    world.settle();
    world.meanwhile(true, |world| {
        world.append("a.log", &lines(10..20));
        let packed = zstd::encode_all(&*fs::read(world.path("a.log")).unwrap(), 1).unwrap();
        fs::write(world.path("a.log.1.zst"), packed).unwrap();
        fs::remove_file(world.path("a.log")).unwrap();
        world.append("a.log", &lines(20..30));
    });
    world.settle();
    assert_eq!(world.lines(), expected(0..30));
}

#[test]
fn more_files_than_descriptors_are_all_read_and_followed() {
    let mut world = World::new();
    world.shipper().files.open_max = 4;
    for number in 0..40 {
        world.append(&format!("{number}.log"), &format!("first of {number}\n"));
    }
    world.settle();
    assert_eq!(world.lines().len(), 40);
    for number in 0..40 {
        world.append(&format!("{number}.log"), &format!("second of {number}\n"));
    }
    world.settle();
    assert_eq!(world.lines().len(), 80);
    fs::rename(world.path("7.log"), world.path("7.log.1")).unwrap();
    world.append("7.log", "third of 7\n");
    world.settle();
    world.settle();
    assert_eq!(world.lines().len(), 81);
}

#[test]
fn a_pipe_beside_a_log_is_left_alone() {
    let mut world = World::new();
    world.append("a.log", &lines(0..5));
    world.settle();
    for name in ["a.log.pipe", "a.log.1", "p.log"] {
        let made = std::process::Command::new("mkfifo").arg(world.path(name)).status().unwrap();
        assert!(made.success());
    }
    fs::write(world.path("a.log"), "anew\n").unwrap();
    world.settle();
    assert_eq!(world.lines().last().unwrap(), "anew");
    world.kill();
}

#[test]
fn a_generation_that_nobody_saw_is_read_from_a_folder_for_old_ones() {
    let mut world = World::new();
    fs::create_dir(world.path("old")).unwrap();
    world.append("a.log", &lines(0..5));
    world.settle();
    for generation in 1..4 {
        fs::rename(world.path("a.log"), world.path(&format!("old/a.log.{generation}"))).unwrap();
        world.append("a.log", &lines(generation * 5..generation * 5 + 5));
    }
    world.settle();
    let mut found = world.lines();
    found.sort_by_key(|line| line.trim_start_matches("line ").parse::<u32>().unwrap());
    assert_eq!(found, expected(0..20));
}

#[test]
fn a_packed_generation_that_nobody_knows_is_read_before_what_follows_it() {
    let mut world = World::new();
    world.append("a.log", "");
    world.settle();
    // While it was away, or between two looks, a whole generation came and went.
    let packed = fs::File::create(world.path("a.log.1.gz")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
    encoder.write_all(lines(0..4).as_bytes()).unwrap();
    encoder.finish().unwrap();
    world.append("a.log", &lines(4..8));
    world.scan();
    while world.form() {}
    world.shipper().sync().unwrap();
    world.send();
    assert_eq!(world.lines(), expected(0..8));
}

#[test]
fn a_batch_under_way_waits_for_the_folder_that_it_is_made_of() {
    let mut world = World::new();
    world.append("a.log", &lines(0..4));
    world.settle();
    world.append("a.log", &lines(4..8));
    world.scan();
    assert!(world.form());
    world.shipper().sync().unwrap();
    world.shipper = None;
    let folder = world.path("a.log").parent().unwrap().to_owned();
    let away = folder.with_file_name("not mounted yet");
    fs::rename(&folder, &away).unwrap();
    assert_eq!(crate::shipper::awaited(&world.config()), Some(world.path("a.log")));
    fs::rename(&away, &folder).unwrap();
    assert_eq!(crate::shipper::awaited(&world.config()), None);
    world.start();
    world.settle();
    assert_eq!(world.lines(), expected(0..8));
}

#[test]
fn of_two_generations_that_were_rotated_away_the_older_one_is_read_first() {
    let mut world = World::new();
    world.append("a.log", "");
    world.settle();
    world.meanwhile(true, |world| {
        world.append("a.log", &lines(0..3));
        world.copy_and_truncate("a.log");
        let copy = fs::File::options().write(true).open(world.path("a.log.1")).unwrap();
        copy.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(10)).unwrap();
        world.append("a.log", &lines(3..6));
    });
    // The older one is met last; then the other is rotated away, too, before a line of either was read.
    world.scan();
    world.copy_and_truncate("a.log");
    world.scan();
    world.append("a.log", &lines(6..8));
    world.settle();
    assert_eq!(world.lines(), expected(0..8));
}
