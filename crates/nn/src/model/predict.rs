//! Prediction.

use std::ops::Range;

use stampnet_data::Dataset;
use stampnet_tensor::{Shape, Tensor, View};

use super::Model;
use super::check::{check_data, check_samples};
use super::evaluate::all_rows;
use super::program::{Key, Program, Task, on_worker};
use crate::{NnError, TrainError};

/// Samples that one prediction step takes.
const PREDICT_BATCH: usize = 32;

impl Model {
    /// The outputs for `samples`, whose shape is the input's with a batch axis before it: for a classifier `[n, classes]`,
    /// probabilities.
    ///
    /// # Errors
    /// The samples do not fit the model, or it has several inputs or outputs.
    pub fn predict(&mut self, samples: View<'_>) -> Result<Tensor, NnError> {
        self.single_output()?;
        let mut outputs = self.predict_all(&[samples])?;
        Ok(outputs.swap_remove(0))
    }

    /// As [`predict`](Self::predict), for any number of inputs, in the order of the model's, and of outputs.
    ///
    /// ```
    /// use stampnet_nn::layers::Add;
    /// use stampnet_nn::{Functional, Layer, input};
    /// use stampnet_tensor::Tensor;
    ///
    /// let (a, b) = (input(2)?, input(2)?);
    /// let mut model = Functional::new([&a, &b], Add::new().apply([&a, &b])?)?.build(42)?;
    /// let (x, y) = (Tensor::from_vec([1, 2], vec![1.0, 2.0])?, Tensor::from_vec([1, 2], vec![3.0, 4.0])?);
    /// assert_eq!(model.predict_all(&[x.view(), y.view()])?[0].data(), [4.0, 6.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The samples do not fit the model.
    pub fn predict_all(&mut self, inputs: &[View<'_>]) -> Result<Vec<Tensor>, NnError> {
        let mut counts = Vec::with_capacity(inputs.len());
        let mut shapes = Vec::with_capacity(inputs.len());
        for samples in inputs {
            let (n, sample) = match samples.dims().split_first() {
                Some((&n, sample)) => (n, Shape::new(sample)?),
                None => (0, samples.shape()),
            };
            counts.push(n);
            shapes.push(sample);
        }
        check_samples(&self.graph, &shapes)?;
        if let Some(&other) = counts.iter().find(|&&count| count != counts[0]) {
            return Err(TrainError::Counts { first: counts[0], other }.into());
        }
        self.predict_batches(counts[0], PREDICT_BATCH, |rows, program| {
            for (to, from) in program.next.samples.iter_mut().zip(inputs) {
                to.data_mut().copy_from_slice(from.rows(rows.clone()).data());
            }
            Ok(())
        })
    }

    /// The outputs for `samples`, computed in one batch: the fast way to ask again and again. The model keeps what it needs for
    /// the last two batch sizes, so that nothing is allocated, and packs its weights once until they change.
    ///
    /// Threads work best if they need not be woken: call it from a thread of the pool, as within `rayon::scope`.
    ///
    /// ```
    /// use stampnet_nn::models;
    /// use stampnet_tensor::{Shape, Tensor};
    ///
    /// let mut model = models::book_cnn().build(42)?;
    /// let image = Tensor::zeros(Shape::new(&[1, 28, 28, 1])?);
    /// let probabilities = model.infer(image.view())?;
    /// assert_eq!(probabilities.dims(), [1, 10]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// There are no samples, they do not fit the model, or it has several inputs or outputs.
    pub fn infer(&mut self, samples: View<'_>) -> Result<View<'_>, NnError> {
        self.single_output()?;
        let (n, sample) = match samples.dims().split_first() {
            Some((&n, sample)) => (n, Shape::new(sample)?),
            None => (0, samples.shape()),
        };
        check_samples(&self.graph, &[sample])?;
        if n == 0 {
            return Err(TrainError::NoData.into());
        }
        let key = Key { task: Task::Predict, n, seed: 0, weighted: false };
        let (program, weights) = (self.programs.get(&self.graph, &[], key)?, &mut self.weights);
        program.next.samples[0].data_mut().copy_from_slice(samples.data());
        on_worker(|| program.run(weights));
        Ok(program.output(0))
    }

    /// The outputs for all samples of `data`, in order, `[n, ..]`; targets are not looked at.
    ///
    /// # Errors
    /// The batch size is 0, the samples do not fit the model, it has several outputs, or the data cannot be read.
    pub fn predict_dataset(&mut self, data: &dyn Dataset, batch_size: usize) -> Result<Tensor, NnError> {
        self.single_output()?;
        check_data(&self.graph, data, None)?;
        if batch_size == 0 {
            return Err(TrainError::BatchSize.into());
        }
        let all = all_rows(data);
        let outputs = self.predict_batches(all.len(), batch_size, |rows, program| program.next.fill(data, &all[rows]));
        Ok(outputs?.swap_remove(0))
    }

    fn single_output(&self) -> Result<(), TrainError> {
        match self.graph.outputs.len() {
            1 => Ok(()),
            outputs => Err(TrainError::SeveralOutputs { outputs }),
        }
    }

    /// Runs batches of `n` samples that `fill` writes into a program, and collects the outputs.
    fn predict_batches(
        &mut self,
        n: usize,
        batch_size: usize,
        mut fill: impl FnMut(Range<usize>, &mut Program) -> Result<(), NnError> + Send,
    ) -> Result<Vec<Tensor>, NnError> {
        let outputs = self.graph.outputs.iter().map(|&output| self.graph.nodes[output].output);
        let zeros = outputs.map(|output| Ok(Tensor::zeros(super::batch::batch_shape(n, output)?)));
        let mut all = zeros.collect::<Result<Vec<Tensor>, NnError>>()?;
        for start in (0..n).step_by(batch_size) {
            let rows = start..n.min(start + batch_size);
            let key = Key { task: Task::Predict, n: rows.len(), seed: 0, weighted: false };
            let program = self.programs.get(&self.graph, &[], key)?;
            let (weights, fill) = (&mut self.weights, &mut fill);
            on_worker(|| {
                fill(rows.clone(), program)?;
                program.run(weights);
                Ok::<_, NnError>(())
            })?;
            for (i, all) in all.iter_mut().enumerate() {
                let output = program.output(i);
                let len = output.data().len() / rows.len();
                all.data_mut()[rows.start * len..rows.end * len].copy_from_slice(output.data());
            }
        }
        Ok(all)
    }
}
