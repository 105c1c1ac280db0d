//! Bodies in protobuf, as typed clients in Go send them for the kinds of Kubernetes (apimachinery
//! `serializer/protobuf`): decoded to JSON. Answers are JSON, which all of them take.
//!
//! The numbers of the fields are a table (`messages.txt`) that is generated (`xtask`) from upstream's `generated.proto` files.

mod decode;
mod table;
#[cfg(test)]
mod tests;
mod wire;

pub(super) use decode::decode;

/// The media type.
pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
