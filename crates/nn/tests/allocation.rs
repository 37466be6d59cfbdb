//! Training allocates nothing per step.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use stampnet_data::{Dataset, MultiSet, TensorSet};
use stampnet_geometry::Padding;
use stampnet_nn::layers::{Add, BatchNormalization, Concatenate, Conv2D, Dense, GlobalAveragePooling2D};
use stampnet_nn::{
    Activation, Adam, BatchLog, Callback, Control, FitOptions, Functional, Layer, Loss, Losses, Model, NnError, input,
    models,
};
use stampnet_tensor::{Shape, Tensor};
use stampnet_testkit::on_threads;

/// Counts allocations of all threads.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the rules of GlobalAlloc.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Notes the number of allocations after each batch, in memory that is there beforehand.
struct Counts {
    after: [usize; 16],
    batches: usize,
}

impl Callback for Counts {
    fn on_batch_end(&mut self, _: &BatchLog<'_>) -> Control {
        self.after[self.batches] = ALLOCATIONS.load(Ordering::Relaxed);
        self.batches += 1;
        Control::Continue
    }
}

/// Trains for two epochs of five batches, and says after which allocations the batches of the second one ended.
fn second_epoch(data: &dyn Dataset, mut model: Model, losses: impl Into<Losses>) -> [usize; 5] {
    let mut counts = Counts { after: [0; 16], batches: 0 };
    model.compile(Adam::default(), losses).unwrap();
    // Five batches of 4 are the first epoch, in which operations are recorded and the optimizer makes its moments.
    model.fit(data, FitOptions::new(2).batch_size(4).callback(&mut counts)).unwrap();
    assert_eq!(counts.batches, 10);
    counts.after[5..10].try_into().unwrap()
}

/// Two inputs, a shortcut, and two outputs.
fn graph() -> Result<Model, NnError> {
    let (image, extra) = (input((28, 28, 1))?, input(3)?);
    let conv = || Conv2D::new(8, 3).padding(Padding::Same);
    let x = conv().apply(&image)?;
    let y = BatchNormalization::new().apply(conv().apply(&x)?)?;
    let x = GlobalAveragePooling2D::new().apply(Add::new().apply([&x, &y])?)?;
    let x = Concatenate::new().apply([&x, &extra])?;
    let kind = Dense::new(10).activation(Activation::Softmax).apply(&x)?;
    Functional::new([&image, &extra], [&kind, &Dense::new(1).apply(&x)?])?.build(1)
}

#[test]
fn a_training_step_allocates_nothing() {
    let images = Tensor::zeros(Shape::new(&[20, 28, 28, 1]).unwrap());
    let labels = Tensor::from_vec([20], (0..20).map(|i| (i % 10) as f32).collect()).unwrap();
    let data = TensorSet::new(images.view(), labels.view()).unwrap();
    let extras = Tensor::zeros(Shape::new(&[20, 3]).unwrap());
    let both = MultiSet::new(&[images.view(), extras.view()], &[labels.view(), labels.view()]).unwrap();
    // Inside a pool, since rayon allocates where work is handed over from outside. One thread, since with more of them a
    // thread may run its first task of a kind, for which it makes its scratch memory, at any step.
    on_threads(1, || {
        let after = second_epoch(&data, models::book_cnn().build(1).unwrap(), Loss::SparseCategoricalCrossentropy);
        assert_eq!(after, [after[0]; 5], "a row of layers");
        let losses = Losses::from([Loss::SparseCategoricalCrossentropy, Loss::MeanSquaredError]).weights([1.0, 0.5]);
        let after = second_epoch(&both, graph().unwrap(), losses);
        assert_eq!(after, [after[0]; 5], "a graph");
    });
}
