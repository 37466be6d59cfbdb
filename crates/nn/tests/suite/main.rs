//! Tests of whole models, in one binary so that they are linked once.

mod augmentation;
mod averages;
mod callbacks;
mod common;
mod execution;
mod file;
mod graph;
mod json;
mod keras;
mod keras_graph;
mod keras_silent;
mod measures;
mod precision;
mod refusals;
mod strips;
mod summary;
mod training;
mod worked_examples;
