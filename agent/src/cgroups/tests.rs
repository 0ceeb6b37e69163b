use std::fs;
use std::os::unix::fs::MetadataExt;

use super::*;

/// Hierarchies as directories, and the agent's place below them.
fn fake(is_unified: bool) -> (tempfile::TempDir, Cgroups, String) {
    let mount = tempfile::tempdir().expect("a temporary directory");
    let tops: Vec<PathBuf> = if is_unified {
        fs::write(mount.path().join("cgroup.controllers"), "cpu memory pids").expect("written");
        vec![mount.path().to_owned()]
    } else {
        ["cpu", "cpuacct", "memory"].map(|name| mount.path().join(name)).to_vec()
    };
    for top in tops {
        fs::create_dir_all(&top).expect("made");
        fs::write(top.join("cgroup.procs"), "").expect("written");
    }
    let cgroups = Cgroups::find(mount.path(), "mesos", mount.path()).expect("found");
    let identity = fs::metadata(mount.path()).expect("a directory");
    let agent = format!("mesos/{:x}-{:x}", identity.dev(), identity.ino());
    (mount, cgroups, agent)
}

#[test]
fn each_container_has_its_place_below_that_of_its_agent() {
    let (mount, cgroups, agent) = fake(false);
    let memory = mount.path().join("memory").join(&agent);
    assert_eq!(cgroups.directory(Subsystem::Memory, "p"), memory.join("p"));
    assert_eq!(cgroups.directory(Subsystem::Memory, "p.c"), memory.join("p/c"));
    let (mount, cgroups, agent) = fake(true);
    assert_eq!(cgroups.directory(Subsystem::Pids, "p.c"), mount.path().join(agent).join("p/c"));
}

#[test]
fn what_is_missing_is_named() {
    let (_mount, cgroups, _) = fake(false);
    let error = cgroups.open(Subsystem::Pids).expect_err("not mounted");
    assert!(error.contains("pids is not mounted"), "{error}");
    cgroups.open(Subsystem::Memory).expect("mounted");
    let nothing = tempfile::tempdir().expect("a temporary directory");
    let error = Cgroups::find(nothing.path(), "mesos", nothing.path()).expect_err("no cgroups");
    assert!(error.contains("no cgroups are mounted"), "{error}");
}

#[test]
fn those_who_share_are_where_their_parent_is() {
    let (_mount, cgroups, _) = fake(false);
    let parent = cgroups.make(Subsystem::Memory, "p").expect("made");
    assert_eq!(cgroups.place(Subsystem::Memory, "p.c"), None, "it holds to nothing yet");
    fs::write(parent.join("memory.limit_in_bytes"), "1").expect("written");
    assert_eq!(cgroups.make_shared(Subsystem::Memory, "p.c").expect("made"), parent);
    assert_eq!(cgroups.place(Subsystem::Memory, "p.c"), Some(parent));
    let own = cgroups.make(Subsystem::Memory, "p.d").expect("made");
    fs::write(own.join("memory.limit_in_bytes"), "1").expect("written");
    assert_eq!(cgroups.place(Subsystem::Memory, "p.d"), Some(own.clone()));
    assert_eq!(cgroups.own(Subsystem::Memory, "p.d"), Some(own));
}
