//! StampNet beside the cases in `cases/`, which Keras, ONNX and PyTorch computed. The crate's README says how.

mod case;
mod compare;
mod file;
mod layers;

mod onnx;
mod onnx_operators;
mod recorded;
mod training;
