//! Neither a step of training nor a call of inference allocates, or meets a new page of memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use stampnet_data::{Dataset, MultiSet, TensorSet};
use stampnet_geometry::Padding;
use stampnet_nn::layers::{Add, BatchNormalization, Concatenate, Conv2D, Dense, GlobalAveragePooling2D};
use stampnet_nn::{
    Activation, Adam, BatchLog, Callback, Control, EpochLog, FitOptions, Functional, Layer, Loss, Losses, Model,
    NnError, StripSize, input, models,
};
use stampnet_tensor::{Shape, Tensor};
use stampnet_testkit::on_threads;

/// Counts allocations of all threads.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// Tests that count run one at a time.
static ALONE: Mutex<()> = Mutex::new(());

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
    /// Page faults before the last epoch, and in it.
    faults: [u64; 2],
}

impl Callback for Counts {
    fn on_batch_end(&mut self, _: &BatchLog<'_>) -> Control {
        self.after[self.batches] = ALLOCATIONS.load(Ordering::Relaxed);
        self.batches += 1;
        Control::Continue
    }

    fn on_epoch_begin(&mut self, _: usize, _: &mut Model) -> Result<(), NnError> {
        self.faults[0] = page_faults();
        Ok(())
    }

    fn on_epoch_end(&mut self, _: &EpochLog, _: &mut Model) -> Result<Control, NnError> {
        self.faults[1] = page_faults() - self.faults[0];
        Ok(Control::Continue)
    }
}

/// Trains for two epochs of five batches, and says after which allocations the batches of the second one ended.
fn second_epoch(data: &dyn Dataset, mut model: Model, losses: impl Into<Losses>) -> [usize; 5] {
    let mut counts = Counts { after: [0; 16], batches: 0, faults: [0; 2] };
    model.compile(Adam::default(), losses).unwrap();
    // Five batches of 4 are the first epoch, in which operations are recorded and the optimizer makes its moments.
    model.fit(data, FitOptions::new(2).batch_size(4).callback(&mut counts)).unwrap();
    assert_eq!(counts.batches, 10);
    // The system may move a page, and asking it costs some; a step that met new memory would have dozens.
    assert!(counts.faults[1] < 10, "{} page faults", counts.faults[1]);
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

/// Page faults of this process so far; 0 where that is not known.
fn page_faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The tenth field; the second one, in parentheses, may hold spaces.
    let fields = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(7)?.parse().ok());
    fields.unwrap_or(0)
}

/// Calls whose costs are counted.
const CALLS: u64 = 20;

#[test]
fn inference_allocates_nothing() {
    let _alone = ALONE.lock();
    let images = Tensor::zeros(Shape::new(&[20, 28, 28, 1]).unwrap());
    on_threads(1, || {
        for network in [models::book_cnn(), models::vgg((28, 28, 1), 10)] {
            let mut model = network.build(1).unwrap();
            for n in [1, 20] {
                let samples = images.view().rows(0..n);
                (0..3).for_each(|_| assert!(model.infer(samples).is_ok()));
                let (faults, allocations) = (page_faults(), ALLOCATIONS.load(Ordering::Relaxed));
                (0..CALLS).for_each(|_| assert!(model.infer(samples).is_ok()));
                assert_eq!(ALLOCATIONS.load(Ordering::Relaxed), allocations, "{n} samples");
                let faults = page_faults() - faults;
                // The system may move a page, and asking it costs some.
                assert!(faults < CALLS, "{faults} page faults, {n} samples");
            }
        }
    });
}

#[test]
fn a_training_step_allocates_nothing() {
    let _alone = ALONE.lock();
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
        let mut strips = models::book_cnn().build(1).unwrap();
        strips.set_strips(StripSize::Samples(2));
        let after = second_epoch(&data, strips, Loss::SparseCategoricalCrossentropy);
        assert_eq!(after, [after[0]; 5], "strips");
        let losses = Losses::from([Loss::SparseCategoricalCrossentropy, Loss::MeanSquaredError]).weights([1.0, 0.5]);
        let after = second_epoch(&both, graph().unwrap(), losses);
        assert_eq!(after, [after[0]; 5], "a graph");
    });
}
