//! A look at a network's weights before a runtime gets them.
//!
//! A runtime may turn a weight that is not a number into a plausible output: tract's sigmoid
//! gives 0 for it. So the outputs' checks are not enough, and such a network is refused.

use crate::{Error, ErrorKind, Result};

/// Field numbers of ONNX's protobuf messages.
mod field {
    /// `ModelProto.graph`
    pub(super) const GRAPH: u64 = 7;
    /// `GraphProto.node`
    pub(super) const NODE: u64 = 1;
    /// `GraphProto.initializer`
    pub(super) const INITIALIZER: u64 = 5;
    /// `NodeProto.attribute`
    pub(super) const ATTRIBUTE: u64 = 5;
    /// `AttributeProto.t`
    pub(super) const TENSOR: u64 = 5;
    /// `TensorProto.data_type`
    pub(super) const DATA_TYPE: u64 = 2;
    /// `TensorProto.float_data`
    pub(super) const FLOAT_DATA: u64 = 4;
    /// `TensorProto.name`
    pub(super) const NAME: u64 = 8;
    /// `TensorProto.raw_data`
    pub(super) const RAW_DATA: u64 = 9;
}

/// `TensorProto.DataType.FLOAT`
const FLOAT: u64 = 1;
/// `TensorProto.DataType.FLOAT16`; its values lie in `raw_data`.
const FLOAT16: u64 = 10;

/// Holds that every 32-bit and 16-bit float constant of the network in `bytes` is finite.
///
/// # Errors
/// [`ErrorKind::Model`] for a value that is not, and for bytes that are no ONNX network.
pub(super) fn check_finite(file: &str, bytes: &[u8]) -> Result<()> {
    let broken = || {
        Error::new(ErrorKind::Model, format!("cannot read {file}"))
            .expected("an ONNX network")
            .found(format!("{} bytes of another form", bytes.len()))
    };
    let mut graphs = 0;
    for part in fields(bytes) {
        let (number, value) = part.ok_or_else(broken)?;
        let (field::GRAPH, Value::Bytes(graph)) = (number, value) else { continue };
        graphs += 1;
        for part in fields(graph) {
            match part.ok_or_else(broken)? {
                (field::INITIALIZER, Value::Bytes(tensor)) => {
                    check_tensor(file, tensor).ok_or_else(broken)??;
                }
                (field::NODE, Value::Bytes(node)) => {
                    check_attributes(file, node).ok_or_else(broken)??;
                }
                _ => {}
            }
        }
    }
    if graphs == 1 { Ok(()) } else { Err(broken()) }
}

/// Checks the tensors among a node's attributes; `None` for bytes of another form.
fn check_attributes(file: &str, node: &[u8]) -> Option<Result<()>> {
    for part in fields(node) {
        let (field::ATTRIBUTE, Value::Bytes(attribute)) = part? else { continue };
        for part in fields(attribute) {
            let (field::TENSOR, Value::Bytes(tensor)) = part? else { continue };
            if let Err(error) = check_tensor(file, tensor)? {
                return Some(Err(error));
            }
        }
    }
    Some(Ok(()))
}

/// Checks one tensor; `None` for bytes of another form.
fn check_tensor(file: &str, tensor: &[u8]) -> Option<Result<()>> {
    let (mut name, mut kind, mut raw, mut bad) = ("", 0, &[][..], None);
    for part in fields(tensor) {
        match part? {
            (field::DATA_TYPE, Value::Varint(number)) => kind = number,
            (field::NAME, Value::Bytes(bytes)) => name = std::str::from_utf8(bytes).ok()?,
            (field::FLOAT_DATA, Value::Bits(bits)) => bad = bad.or(not_finite(&bits.to_le_bytes())),
            (field::FLOAT_DATA, Value::Bytes(bytes)) => bad = bad.or(not_finite(bytes)),
            (field::RAW_DATA, Value::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let bad = match kind {
        FLOAT => bad.or(not_finite(raw)),
        FLOAT16 => half_not_finite(raw),
        _ => None,
    };
    Some(match bad {
        None => Ok(()),
        Some(value) => Err(Error::new(ErrorKind::Model, format!("{file} is refused"))
            .expected("finite weights")
            .found(format!("{value} in {name:?}"))
            .hint("training diverged; train the network again")),
    })
}

/// The first of little-endian f32 values that is not finite.
fn not_finite(bytes: &[u8]) -> Option<f32> {
    let mut values = bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four));
    values.find(|value| !value.is_finite())
}

/// The same for IEEE 754 half precision, where an exponent of all ones is no finite number.
fn half_not_finite(bytes: &[u8]) -> Option<f32> {
    let mut values = bytes.as_chunks::<2>().0.iter().map(|&two| u16::from_le_bytes(two));
    let bits = values.find(|bits| bits & 0x7c00 == 0x7c00)?;
    let infinity = if bits & 0x8000 == 0 { f32::INFINITY } else { f32::NEG_INFINITY };
    Some(if bits & 0x03ff == 0 { infinity } else { f32::NAN })
}

/// A protobuf field's value, as far as it matters here.
enum Value<'b> {
    Varint(u64),
    Bits(u32),
    Bytes(&'b [u8]),
    Other,
}

/// The fields of a protobuf message; `None` once where the bytes have another form.
fn fields(bytes: &[u8]) -> impl Iterator<Item = Option<(u64, Value<'_>)>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = next_field(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field)
    })
}

fn next_field<'b>(rest: &mut &'b [u8]) -> Option<(u64, Value<'b>)> {
    let tag = varint(rest)?;
    let value = match tag & 7 {
        0 => Value::Varint(varint(rest)?),
        1 => {
            take(rest, 8)?;
            Value::Other
        }
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Value::Bytes(take(rest, length)?)
        }
        5 => Value::Bits(u32::from_le_bytes(take(rest, 4)?.try_into().ok()?)),
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(payload: &[u8]) -> Vec<u8> {
        // data_type 1, the payload, name "w", inside initializer, inside graph.
        let tensor = [&[0x10, 1][..], payload, &[0x42, 1, b'w']].concat();
        let graph = [&[0x2a, tensor.len() as u8][..], &tensor].concat();
        [&[0x3a, graph.len() as u8][..], &graph].concat()
    }

    #[test]
    fn weights_must_be_finite_in_every_encoding() {
        for (value, fine) in [(1.5_f32, true), (f32::NAN, false), (f32::NEG_INFINITY, false)] {
            let bits = value.to_le_bytes();
            for head in [&[0x4a, 4][..], &[0x22, 4], &[0x25]] {
                let network = tensor(&[head, &bits].concat());
                assert_eq!(check_finite("w.onnx", &network).is_ok(), fine, "{value} {head:?}");
            }
        }
    }

    #[test]
    fn half_precision_weights_must_be_finite_too() {
        for (bits, fine) in [(0x3e00_u16, true), (0x7e00, false), (0xfc00, false), (0x7bff, true)] {
            let tensor = [&[0x10, 10, 0x4a, 2][..], &bits.to_le_bytes(), &[0x42, 1, b'w']].concat();
            let graph = [&[0x2a, tensor.len() as u8][..], &tensor].concat();
            let network = [&[0x3a, graph.len() as u8][..], &graph].concat();
            assert_eq!(check_finite("w.onnx", &network).is_ok(), fine, "{bits:#x}");
        }
    }

    #[test]
    fn the_refusal_names_the_weight() {
        let network = tensor(&[&[0x4a, 4][..], &f32::NAN.to_le_bytes()].concat());
        assert_eq!(
            check_finite("w.onnx", &network).unwrap_err().to_string(),
            "w.onnx is refused: expected finite weights, found NaN in \"w\" \
             (hint: training diverged; train the network again)"
        );
    }

    #[test]
    fn other_bytes_are_no_network() {
        for bytes in [&b""[..], b"hello", &[0x3a, 200, 1], &[0xff; 20]] {
            assert_eq!(check_finite("w.onnx", bytes).unwrap_err().kind(), ErrorKind::Model);
        }
    }
}
