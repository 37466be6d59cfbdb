//! What every refusal says.

use stampnet_autograd::{AutogradError, BatchNorm, DepthWindows, Margins, Mode, Resampling, Tape, Targets, Var};
use stampnet_conv::Activation;
use stampnet_geometry::{AxisPadding, ConvOptions, Padding, PoolOptions, TransposedOptions};
use stampnet_tensor::{Shape, Tensor};

/// A tape with one variable for each shape that a case asks for.
struct Case {
    tape: Tape,
}

impl Case {
    fn var(&mut self, dims: &[usize]) -> Var {
        self.tape.variable(Tensor::zeros(Shape::new(dims).unwrap()))
    }

    fn state(&mut self, dims: &[usize]) -> Var {
        self.tape.state(Tensor::zeros(Shape::new(dims).unwrap()))
    }

    fn labels(&mut self, values: &[f32]) -> Var {
        self.tape.input(Tensor::from_slice([values.len()], values).unwrap())
    }

    fn conv(&mut self, shapes: [&[usize]; 3], options: &ConvOptions) -> Result<Var, AutogradError> {
        let [x, weight, bias] = shapes.map(|dims| self.var(dims));
        self.tape.conv2d(x, weight, Some(bias), options, Activation::Relu)
    }

    fn dense(&mut self, shapes: [&[usize]; 3]) -> Result<Var, AutogradError> {
        let [x, weight, bias] = shapes.map(|dims| self.var(dims));
        self.tape.dense(x, weight, Some(bias), Activation::Linear)
    }

    fn batch_norm(&mut self, x: &[usize], change: impl Fn(&mut Self, &mut BatchNorm)) -> Result<Var, AutogradError> {
        let (moving_mean, moving_variance) = (self.state(&[3]), self.state(&[3]));
        let (gamma, beta) = (Some(self.var(&[3])), Some(self.var(&[3])));
        let mut parameters = BatchNorm { gamma, beta, moving_mean, moving_variance, momentum: 0.9, epsilon: 1e-3 };
        change(self, &mut parameters);
        let x = self.var(x);
        self.tape.batch_norm(x, parameters)
    }
}

const DEPTH: DepthWindows = DepthWindows { kernel: 2, stride: 1, dilation: 1, padding: AxisPadding::Valid, groups: 2 };

type Refused = fn(&mut Case) -> Result<Var, AutogradError>;

const OPERATIONS: &[(&str, Refused)] = &[
    ("add: both operands must have the same shape; received (2, 3) and (3, 2)", |case| {
        let (a, b) = (case.var(&[2, 3]), case.var(&[3, 2]));
        case.tape.add(a, b)
    }),
    ("mul: both operands must have the same shape; received (6,) and ()", |case| {
        let (a, b) = (case.var(&[6]), case.var(&[]));
        case.tape.mul(a, b)
    }),
    ("concat: there must be at least one input; received none", |case| case.tape.concat(&[], 0)),
    ("concat: the axis must be below the number of axes; received axis 2 for the shape (2, 3)", |case| {
        let x = case.var(&[2, 3]);
        case.tape.concat(&[x], 2)
    }),
    (
        "concat: all axes but the one along which values are joined must have the same size; received (2, 3) and (3, 3)",
        |case| {
            let (a, b) = (case.var(&[2, 3]), case.var(&[3, 3]));
            case.tape.concat(&[a, b], 1)
        },
    ),
    (
        "broadcast: all axes must have the same size, or size 1 in the first shape behind its first axis; received (1, 3) and \
         (2, 3)",
        |case| {
            let x = case.var(&[1, 3]);
            case.tape.broadcast(x, &[2, 3])
        },
    ),
    (
        "crop2d: at least one cell must be left along each axis; received an image of 3 x 4 and margins of 2 + 1 rows and 0 + 0 \
         columns",
        |case| {
            let x = case.var(&[1, 3, 4, 2]);
            case.tape.crop2d(x, Margins { top: 2, bottom: 1, left: 0, right: 0 })
        },
    ),
    ("the output's width must be at least 1; received 0", |case| {
        let x = case.var(&[1, 3, 4, 2]);
        case.tape.adaptive_max_pool2d(x, (1, 0).into())
    }),
    ("the factor of upsampling must be at least 1; received 0", |case| {
        let x = case.var(&[1, 3, 4, 2]);
        case.tape.upsample2d(x, (0, 1).into(), Resampling::Nearest)
    }),
    ("normalize_rows: an average needs at least one element; received the shape (2, 0)", |case| {
        let x = case.var(&[2, 0]);
        case.tape.normalize_rows(x, 1e-3)
    }),
    ("normalize_rows: the epsilon must be finite and not negative; received -1", |case| {
        let x = case.var(&[2, 3]);
        case.tape.normalize_rows(x, -1.0)
    }),
    (
        "scale_shift: beta must have the shape (3,), one number for each entry of the last axis of x; received (2,)",
        |case| {
            let (x, beta) = (case.var(&[2, 3]), case.var(&[2]));
            case.tape.scale_shift(x, None, Some(beta))
        },
    ),
    ("gaussian_noise: the stddev must be finite and not negative; received -0.5", |case| {
        let x = case.var(&[2, 3]);
        case.tape.gaussian_noise(x, -0.5, 0)
    }),
    ("permute: the new order must name each axis once, from 0; received [0, 2] for the shape (2, 3)", |case| {
        let x = case.var(&[2, 3]);
        case.tape.permute(x, &[0, 2])
    }),
    ("log_softmax: x must have at least one axis; received a single number, shape ()", |case| {
        let x = case.var(&[]);
        case.tape.log_softmax(x)
    }),
    ("stack_depth: x, [n, d, h, w, c], must have 5 axes; received the shape (2, 3, 4, 5)", |case| {
        let x = case.var(&[2, 3, 4, 5]);
        case.tape.stack_depth(x, &DEPTH)
    }),
    ("groups must divide the input channels; received 3 channels and 2 groups", |case| {
        let x = case.var(&[2, 3, 4, 5, 3]);
        case.tape.stack_depth(x, &DEPTH)
    }),
    (
        "the window must fit into the padded input; along the depth the window covers 2 cells (kernel 2, dilation 1) but the \
         input has 1 (input 1, padding 0 + 0): use a smaller kernel, a larger input, or padding 'same'",
        |case| {
            let x = case.var(&[2, 1, 4, 5, 2]);
            case.tape.stack_depth(x, &DEPTH)
        },
    ),
    (
        "conv2d_transpose: the weight must have the shape (3, 3, 4, 2), [kh, kw, filters, c]; received (3, 3, 2, 4)",
        |case| {
            let (x, weight) = (case.var(&[1, 5, 5, 2]), case.var(&[3, 3, 2, 4]));
            case.tape.conv2d_transpose(x, weight, None, &TransposedOptions::new(4, 3), Activation::Linear)
        },
    ),
    ("mean: an average needs at least one element; received the shape (2, 0)", |case| {
        let x = case.var(&[2, 0]);
        case.tape.mean(x)
    }),
    ("matmul: b must have 2 axes; received the shape (3,)", |case| {
        let (a, b) = (case.var(&[2, 3]), case.var(&[3]));
        case.tape.matmul(a, b)
    }),
    ("matmul: the first matrix must have as many columns as the second has rows; received (2, 3) and (4, 5)", |case| {
        let (a, b) = (case.var(&[2, 3]), case.var(&[4, 5]));
        case.tape.matmul(a, b)
    }),
    ("softmax: x must have at least one axis; received a single number, shape ()", |case| {
        let x = case.var(&[]);
        case.tape.softmax(x)
    }),
    ("dropout: the rate must lie in [0, 1): 0 drops nothing; received 1", |case| {
        let x = case.var(&[2]);
        case.tape.dropout(x, 1.0, 0)
    }),
    ("dropout: the rate must lie in [0, 1): 0 drops nothing; received NaN", |case| {
        let x = case.var(&[2]);
        case.tape.dropout(x, f32::NAN, 0)
    }),
];

const LAYERS: &[(&str, Refused)] = &[
    ("dense: the weight must have 2 axes; received the shape (3, 4, 5)", |case| {
        case.dense([&[2, 3], &[3, 4, 5], &[5]])
    }),
    (
        "dense: the last axis of x must be as long as the first of the weight, [k, units]; received (2, 3) and (4, 5)",
        |case| case.dense([&[2, 3], &[4, 5], &[5]]),
    ),
    (
        "dense: the last axis of x must be as long as the first of the weight, [k, units]; received () and (4, 5)",
        |case| case.dense([&[], &[4, 5], &[5]]),
    ),
    (
        "dense: the bias must have the shape (5,), one number for each column of the weight's last axis; received (4,)",
        |case| case.dense([&[2, 4], &[4, 5], &[4]]),
    ),
    ("conv2d: x, [n, h, w, c], must have 4 axes; received the shape (5, 5, 2)", |case| {
        case.conv([&[5, 5, 2], &[3, 3, 2, 4], &[4]], &ConvOptions::new(4, 3))
    }),
    (
        "conv2d: the weight must have the shape (3, 2, 2, 4), [kh, kw, c / groups, filters]; received (2, 3, 2, 4)",
        |case| case.conv([&[1, 5, 5, 2], &[2, 3, 2, 4], &[4]], &ConvOptions::new(4, (3, 2))),
    ),
    (
        "conv2d: the weight must have the shape (3, 3, 2, 5), [kh, kw, c / groups, filters]; received (3, 3, 2, 4)",
        |case| case.conv([&[1, 5, 5, 2], &[3, 3, 2, 4], &[4]], &ConvOptions::new(5, 3)),
    ),
    (
        "conv2d: the bias must have the shape (4,), one number for each column of the weight's last axis; received (2,)",
        |case| case.conv([&[1, 5, 5, 2], &[3, 3, 2, 4], &[2]], &ConvOptions::new(4, 3)),
    ),
    (
        "the window must fit into the padded input; along the height the window covers 3 cells (kernel 3, dilation 1) \
         but the input has 2 (input 2, padding 0 + 0): use a smaller kernel, a larger input, or padding 'same'",
        |case| case.conv([&[1, 2, 5, 2], &[3, 3, 2, 4], &[4]], &ConvOptions::new(4, 3)),
    ),
    ("max_pool2d: x, [n, h, w, c], must have 4 axes; received the shape (4, 4)", |case| {
        let x = case.var(&[4, 4]);
        case.tape.max_pool2d(x, &PoolOptions::new(2))
    }),
    ("global_avg_pool2d: x, [n, h, w, c], must have 4 axes; received the shape (4, 4)", |case| {
        let x = case.var(&[4, 4]);
        case.tape.global_avg_pool2d(x)
    }),
    // Where addresses have 32 bits, the geometry is refused before that.
    #[cfg(target_pointer_width = "64")]
    (
        "a window with an argmax must have at most 4294967295 cells; received 100000 x 100000: pool with a smaller \
         window, or without argmax",
        |case| {
            let x = case.var(&[1, 1, 1, 1]);
            case.tape.max_pool2d(x, &PoolOptions::new(100_000).padding(Padding::Same))
        },
    ),
    ("batch_norm: x must have at least one axis; received a single number, shape ()", |case| {
        case.batch_norm(&[], |_, _| {})
    }),
    ("batch_norm: an average needs at least one element; received the shape (0, 3)", |case| {
        case.batch_norm(&[0, 3], |_, _| {})
    }),
    ("batch_norm: the momentum must lie in [0, 1]; received 1.5", |case| {
        case.batch_norm(&[2, 3], |_, parameters| parameters.momentum = 1.5)
    }),
    ("batch_norm: the epsilon must be positive; received 0", |case| {
        case.batch_norm(&[2, 3], |_, parameters| parameters.epsilon = 0.0)
    }),
    (
        "batch_norm: gamma must have the shape (4,), one number for each channel, the last axis of x; received (2,)",
        |case| {
            case.batch_norm(&[2, 4], |case, parameters| {
                (parameters.moving_mean, parameters.moving_variance) = (case.state(&[4]), case.state(&[4]));
                parameters.gamma = Some(case.var(&[2]));
            })
        },
    ),
    ("batch_norm: the moving variance is updated by the operation and must be recorded with Tape::state", |case| {
        case.batch_norm(&[2, 3], |case, parameters| parameters.moving_variance = case.var(&[3]))
    }),
];

const LOSSES: &[(&str, Refused)] = &[
    (
        "softmax_cross_entropy: labels must be whole numbers from 0 below the 3 classes; the label of sample 1 is 3",
        |case| {
            let (x, labels) = (case.var(&[2, 3]), case.labels(&[0.0, 3.0]));
            case.tape.softmax_cross_entropy(x, Targets::labels(labels))
        },
    ),
    ("cross_entropy: labels must be whole numbers from 0 below the 3 classes; the label of sample 0 is -1", |case| {
        let (x, labels) = (case.var(&[2, 3]), case.labels(&[-1.0, 0.5]));
        case.tape.cross_entropy(x, Targets::labels(labels))
    }),
    ("cross_entropy: labels must be whole numbers from 0 below the 3 classes; the label of sample 1 is 0.5", |case| {
        let (x, labels) = (case.var(&[2, 3]), case.labels(&[1.0, 0.5]));
        case.tape.cross_entropy(x, Targets::labels(labels))
    }),
    ("softmax_cross_entropy: the labels must have the shape (2,), one for each sample; received (3,)", |case| {
        let (x, labels) = (case.var(&[2, 3]), case.labels(&[0.0; 3]));
        case.tape.softmax_cross_entropy(x, Targets::labels(labels))
    }),
    ("softmax_cross_entropy: predictions, [n, k], must have 2 axes; received the shape (3,)", |case| {
        let (x, labels) = (case.var(&[3]), case.labels(&[0.0; 3]));
        case.tape.softmax_cross_entropy(x, Targets::labels(labels))
    }),
    ("softmax_cross_entropy: both operands must have the same shape; received (2, 3) and (2, 4)", |case| {
        let (x, targets) = (case.var(&[2, 3]), case.var(&[2, 4]));
        case.tape.softmax_cross_entropy(x, Targets::distributions(targets))
    }),
    ("cross_entropy: an average needs at least one element; received the shape (0, 3)", |case| {
        let (x, targets) = (case.var(&[0, 3]), case.var(&[0, 3]));
        case.tape.cross_entropy(x, Targets::distributions(targets))
    }),
    ("squared_error: both operands must have the same shape; received (2,) and (2, 1)", |case| {
        let (x, targets) = (case.var(&[2]), case.var(&[2, 1]));
        case.tape.squared_error(x, targets)
    }),
    ("squared_error: an average needs at least one element; received the shape (0,)", |case| {
        let (x, targets) = (case.var(&[0]), case.var(&[0]));
        case.tape.squared_error(x, targets)
    }),
];

#[test]
fn operations_say_what_was_wrong() {
    for &(text, refused) in [OPERATIONS, LAYERS, LOSSES].into_iter().flatten() {
        let mut case = Case { tape: Tape::new(Mode::Training) };
        match refused(&mut case) {
            Ok(_) => panic!("accepted instead of: {text}"),
            Err(error) => assert_eq!(error.to_string(), text),
        }
    }
}

#[test]
fn a_refused_operation_leaves_the_tape_as_it_was() {
    let mut case = Case { tape: Tape::new(Mode::Training) };
    let (x, labels) = (case.var(&[2, 3]), case.labels(&[0.0, 3.0]));
    let before = case.tape.len();
    assert!(case.tape.softmax_cross_entropy(x, Targets::labels(labels)).is_err());
    assert_eq!(case.tape.len(), before);
}

#[test]
fn gradients_are_refused_where_there_are_none() {
    let mut case = Case { tape: Tape::new(Mode::Training) };
    let x = case.var(&[2, 3]);
    let text = case.tape.backward(x).unwrap_err().to_string();
    assert_eq!(text, "backward starts from a loss of one element; received the shape (2, 3)");
    let mut case = Case { tape: Tape::new(Mode::Inference) };
    let x = case.var(&[1]);
    let text = case.tape.backward(x).unwrap_err().to_string();
    assert_eq!(text, "backward needs a tape made with Mode::Training; this one was made for inference");
}
