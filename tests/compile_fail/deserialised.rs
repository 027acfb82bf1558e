//! E0277: a clip is not deserialised.
fn needs<T: serde::de::DeserializeOwned>() {}

fn main() {
    needs::<wakegate::gate::IntendedClip>();
}
