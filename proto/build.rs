//! Compiles the `.proto` files without protoc: protox parses them, tonic-prost-build generates.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["lastwords/v1/batch.proto", "lastwords/v1/shipping.proto"];
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure()
        .bytes(".lastwords.v1.ShipRequest.batch")
        .bytes(".lastwords.v1.Records.text")
        .compile_fds(descriptors)?;
    Ok(())
}
