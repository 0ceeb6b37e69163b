//! Compiles our .proto files with protox, so that no protoc needs to be installed, and writes
//! beside prost's types what prost has no answer for: the v1 JSON, and tables of what protobuf
//! input must hold.

#![expect(clippy::print_stdout, reason = "cargo reads what a build script prints")]

mod json;
mod names;
mod resources;
mod schema;
mod subjects;
mod tables;

use std::path::PathBuf;

const FILES: [&str; 11] = [
    "mesos/v1/mesos.proto",
    "mesos/v1/scheduler/scheduler.proto",
    "mesos/v1/executor/executor.proto",
    "mesos/v1/master/master.proto",
    "mesos/v1/agent/agent.proto",
    "mesos/v1/quota/quota.proto",
    "mesos/v1/maintenance/maintenance.proto",
    "mesos/v1/allocator/allocator.proto",
    "mesos/v1/resource_provider/resource_provider.proto",
    "mesolith/agents.proto",
    "mesolith/quorum.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let schema = schema::read(&descriptors);
    std::fs::write(out.join("json.rs"), json::generate(&schema))?;
    std::fs::write(out.join("resources.rs"), resources::generate(&schema))?;
    std::fs::write(out.join("subjects.rs"), subjects::generate(&schema))?;
    std::fs::write(out.join("tables.rs"), tables::generate(&schema))?;

    let mut config = prost_build::Config::new();
    config
        .out_dir(&out)
        .btree_map(["."])
        .bytes([".mesolith", ".mesos.v1.TaskInfo.data"])
        .compile_well_known_types()
        .include_file("mod.rs");
    tonic_prost_build::configure().compile_fds_with_config(descriptors, config)?;
    Ok(())
}
