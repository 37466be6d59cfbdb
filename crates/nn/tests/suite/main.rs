//! Tests of whole models, in one binary so that they are linked once.

mod common;
mod file;
mod json;
mod keras;
mod refusals;
mod summary;
mod training;
mod worked_examples;
