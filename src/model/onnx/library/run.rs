//! One run of a session, by ONNX Runtime's own interface.
//!
//! `Session::run` of ort 2.0.0-rc.14 asks for the type of each output and never gives the answer
//! back: about 1 KB a step, 50 MB an hour. Here an output is asked for its shape and its data
//! alone, and both are given back.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_void};
use std::ptr;

use ort::session::Session;
use ort::sys::{ONNXTensorElementDataType, OrtStatusPtr, OrtTensorTypeAndShapeInfo, OrtValue};
use ort::value::DynValue;
use ort::{AsPointer, Error, Result};

/// Names of a network's inputs and outputs, in order.
pub(super) struct Names {
    inputs: Vec<CString>,
    outputs: Vec<CString>,
}

/// What a run gave, until it is dropped.
pub(super) struct Outputs(Vec<*mut OrtValue>);

impl Names {
    /// The names of what `session` takes and gives.
    pub(super) fn of(session: &Session) -> Result<Self> {
        let name = |text: &str| CString::new(text).map_err(|e| Error::new(e.to_string()));
        let inputs = session.inputs().iter().map(|outlet| name(outlet.name()));
        let outputs = session.outputs().iter().map(|outlet| name(outlet.name()));
        Ok(Self {
            inputs: inputs.collect::<Result<_>>()?,
            outputs: outputs.collect::<Result<_>>()?,
        })
    }
}

/// Runs `session`, whose names are `names`, on `inputs`, one for each of its inputs.
pub(super) fn run(session: &mut Session, names: &Names, inputs: &[DynValue]) -> Result<Outputs> {
    assert_eq!(inputs.len(), names.inputs.len(), "one value for each input");
    let pointers = |names: &[CString]| names.iter().map(|name| name.as_ptr()).collect();
    let input_names: Vec<*const c_char> = pointers(&names.inputs);
    let output_names: Vec<*const c_char> = pointers(&names.outputs);
    let values: Vec<*const OrtValue> = inputs.iter().map(AsPointer::ptr).collect();
    let mut outputs = Outputs(vec![ptr::null_mut(); output_names.len()]);
    // SAFETY: session, values and names outlive the call, and the lengths are theirs. The
    // outputs are null, so the runtime makes them, and `outputs` gives them back.
    check(unsafe {
        (ort::api().Run)(
            session.ptr_mut(),
            ptr::null(),
            input_names.as_ptr(),
            values.as_ptr(),
            values.len(),
            output_names.as_ptr(),
            output_names.len(),
            outputs.0.as_mut_ptr(),
        )
    })?;
    match outputs.0.iter().position(|value| value.is_null()) {
        None => Ok(outputs),
        Some(index) => Err(Error::new(format!("the runtime gave no output {index}"))),
    }
}

impl Outputs {
    /// Shape and values of output `index`, which must be an f32 tensor.
    pub(super) fn tensor(&mut self, index: usize) -> Result<(Vec<usize>, &[f32])> {
        let value = self.0[index];
        let shape = shape(value)?;
        let count = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
        let mut data: *mut c_void = ptr::null_mut();
        // SAFETY: the value is not null (`run`), and lives as long as `self`.
        check(unsafe { (ort::api().GetTensorMutableData)(value, &mut data) })?;
        match count {
            Some(0) => Ok((shape, &[])),
            Some(count) if !data.is_null() => {
                // SAFETY: by its shape and element type (`shape` checks it) the tensor holds so
                // many f32; nothing writes to them while `self` is borrowed.
                Ok((shape, unsafe { std::slice::from_raw_parts(data.cast::<f32>(), count) }))
            }
            _ => Err(Error::new(format!("output {index} has no data"))),
        }
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        for value in self.0.drain(..).filter(|value| !value.is_null()) {
            // SAFETY: the value is the runtime's (`run`), and nobody else has it.
            unsafe { (ort::api().ReleaseValue)(value) };
        }
    }
}

/// The shape of `value`, which must be an f32 tensor and not null.
fn shape(value: *const OrtValue) -> Result<Vec<usize>> {
    /// Gives the information back, whatever happens.
    struct Info(*mut OrtTensorTypeAndShapeInfo);
    impl Drop for Info {
        fn drop(&mut self) {
            // SAFETY: it is the runtime's, not null, and nobody else has it.
            unsafe { (ort::api().ReleaseTensorTypeAndShapeInfo)(self.0) };
        }
    }
    let api = ort::api();
    let mut info = ptr::null_mut();
    // SAFETY: the value is not null.
    check(unsafe { (api.GetTensorTypeAndShape)(value, &mut info) })?;
    if info.is_null() {
        return Err(Error::new("an output has no shape"));
    }
    let info = Info(info);
    let mut element = ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    let mut count = 0;
    // SAFETY: `info` lives until the end of this function.
    check(unsafe { (api.GetTensorElementType)(info.0, &mut element) })?;
    // SAFETY: as before.
    check(unsafe { (api.GetDimensionsCount)(info.0, &mut count) })?;
    if element != ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT {
        return Err(Error::new(format!("an output holds {element:?}, not f32")));
    }
    let mut shape = vec![0_i64; count];
    // SAFETY: as before, and there is room for all of them.
    check(unsafe { (api.GetDimensions)(info.0, shape.as_mut_ptr(), count) })?;
    let sides = shape.iter().map(|&side| usize::try_from(side));
    sides
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| Error::new(format!("an output has the shape {shape:?}")))
}

fn check(status: OrtStatusPtr) -> Result<()> {
    // SAFETY: the status is fresh from the runtime, and handed on once.
    unsafe { Error::result_from_status(status) }
}
