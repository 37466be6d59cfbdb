//! Whether data fits a model.

use stampnet_data::Dataset;
use stampnet_tensor::Shape;

use super::Graph;
use super::losses::Weighted;
use super::program::Program;
use crate::{Loss, NnError, Objective, TrainError};

/// Whether `data` fits the model and, where there are some, the losses.
pub(super) fn check_data(graph: &Graph, data: &dyn Dataset, losses: Option<&[Weighted]>) -> Result<(), TrainError> {
    if data.is_empty() {
        return Err(TrainError::NoData);
    }
    check_samples(graph, &data.sample_shapes())?;
    let Some(losses) = losses else { return Ok(()) };
    let targets = data.target_shapes();
    if targets.len() != graph.outputs.len() {
        return Err(TrainError::Targets { expected: graph.outputs.len(), received: targets.len() });
    }
    for ((&output, each), &received) in graph.outputs.iter().zip(losses).zip(&targets) {
        check_targets(graph, output, &each.loss, received)?;
    }
    match (losses, data.classes()) {
        ([only], Some(classes))
            if only.loss.loss() == Loss::SparseCategoricalCrossentropy && classes > graph.output().len() =>
        {
            Err(TrainError::Classes { classes, layer: graph.label(graph.outputs[0]), outputs: graph.output().len() })
        }
        _ => Ok(()),
    }
}

/// Whether targets fit the loss of an output.
fn check_targets(graph: &Graph, node: usize, objective: &Objective, received: Shape) -> Result<(), TrainError> {
    let output = graph.nodes[node].output;
    let (loss, expected) = (objective.loss(), objective.target_shape(output));
    let single = expected.len() == 1 && received.len() == 1;
    if expected == received || single {
        return Ok(());
    }
    let remedy = match loss {
        Loss::SparseCategoricalCrossentropy if received == output => {
            ": for one-hot targets use categorical_crossentropy"
        }
        Loss::CategoricalCrossentropy if received.len() == 1 => ": for labels use sparse_categorical_crossentropy",
        _ => "",
    };
    let output = graph.name_of(node).to_owned();
    Err(TrainError::TargetShape { output, loss, expected: expected.into(), received: received.into(), remedy })
}

/// Whether samples of these shapes are what the model takes.
pub(super) fn check_samples(graph: &Graph, received: &[Shape]) -> Result<(), TrainError> {
    if received.len() != graph.inputs.len() {
        return Err(TrainError::Inputs { expected: graph.inputs.len(), received: received.len() });
    }
    for (&node, &received) in graph.inputs.iter().zip(received) {
        let expected = graph.nodes[node].output;
        if received != expected {
            let input = graph.name_of(node).to_owned();
            return Err(TrainError::SampleShape { input, expected: expected.into(), received: received.into() });
        }
    }
    Ok(())
}

/// Writes samples `rows` of `data` into the program's next batch, and checks the labels.
pub(super) fn load(
    program: &mut Program,
    data: &dyn Dataset,
    rows: &[u32],
    losses: &[Weighted],
) -> Result<(), NnError> {
    program.next.fill(data, rows)?;
    for (i, each) in losses.iter().enumerate() {
        if each.loss.loss() != Loss::SparseCategoricalCrossentropy {
            continue;
        }
        let classes = program.output(i).data().len() / rows.len();
        let is_label = |label: f32| label >= 0.0 && label < classes as f32 && label.fract() == 0.0;
        let targets = program.next.targets[i].data();
        if let Some((&row, &label)) = rows.iter().zip(targets).find(|&(_, &label)| !is_label(label)) {
            return Err(TrainError::Label { sample: row as usize, label, classes }.into());
        }
    }
    Ok(())
}

/// Looks for a number in the last batch that explains a loss that is not finite.
pub(super) fn check_finite(graph: &Graph, program: &Program, rows: &[u32]) -> Result<(), TrainError> {
    for (i, &node) in graph.inputs.iter().enumerate() {
        for (row, &sample) in rows.iter().enumerate() {
            let values = program.samples(i).row(row);
            if let Some((position, &value)) = values.data().iter().enumerate().find(|(_, value)| !value.is_finite()) {
                let input = graph.name_of(node).to_owned();
                return Err(TrainError::NotFinite { sample: sample as usize, position, input, value });
            }
        }
    }
    Ok(())
}
