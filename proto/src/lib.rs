//! The wire's types and the gRPC service, generated from `proto/lastwords/v1/*.proto`, which are the manual.

#[allow(missing_docs, clippy::all, clippy::pedantic)]
/// Package `lastwords.v1`.
pub mod v1 {
    tonic::include_proto!("lastwords.v1");
}
