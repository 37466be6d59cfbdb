//! The plan: which algorithm it picks, and what it refuses, with the words of each error.

use stampnet_conv::{
    Activation, Answer, Candidate, ConvError, ConvPlan, Forward, GradInput, GradWeight, Pass, algorithms, grad_bias,
};
use stampnet_geometry::ConvGeometry;
use stampnet_simd::{Isa, Level};
use stampnet_testkit::{ConvProblem, Fill};

fn geometry(problem: &str) -> ConvGeometry {
    problem.parse::<ConvProblem>().expect("a problem").geometry()
}

#[test]
fn the_list_is_ordered_and_ends_with_the_reference() {
    let names: Vec<_> = algorithms().collect();
    assert_eq!(
        names,
        [
            "pointwise",
            "depthwise",
            "winograd-2x2",
            "winograd-4x4",
            "winograd-2x2-5x5",
            "direct",
            "im2col+gemm",
            "reference"
        ]
    );
}

#[test]
fn the_first_that_accepts_is_picked() {
    for (problem, picked) in [
        ("n1h8w8c4 oc8 k1", "pointwise"),
        ("n1h8w8c4 oc8 k1 g2", "pointwise"),
        ("n1h8w8c4 oc8 k1 g4", "depthwise"),
        ("n1h8w8c4 oc4 k3 psame g4", "depthwise"),
        ("n1h8w8c1 oc8 k3", "direct"),
        ("n1h8w8c4 oc8 k1 s2", "direct"),
        ("n1h8w8c4 oc8 k1 p0,0,0,1", "direct"),
    ] {
        for pass in Pass::ALL {
            let plan = ConvPlan::new(geometry(problem), pass);
            assert_eq!(plan.algorithm(), picked, "{problem}, {pass}");
            assert_eq!((plan.pass(), plan.level()), (pass, Level::current()));
            assert_eq!(*plan.geometry(), geometry(problem));
            let candidates = ConvPlan::candidates(&geometry(problem), pass, plan.level());
            let first = candidates.iter().find(|candidate| candidate.answer == Answer::Takes);
            let first = first.expect("the reference takes everything");
            assert_eq!((first.algorithm, first.workspace_bytes), (picked, plan.workspace_bytes()), "{problem}, {pass}");
            assert!(candidates.iter().map(|candidate| candidate.algorithm).eq(algorithms()));
        }
    }
}

#[test]
fn winograd_takes_square_kernels_with_channels_enough_and_can_be_forbidden() {
    let level = Level::current();
    for (problem, pass, picked) in [
        ("n4h9w9c16 oc16 k3", Pass::Forward, "winograd-4x4"),
        ("n1h8w8c16 oc16 k3", Pass::Forward, "winograd-2x2"),
        ("n4h8w8c16 oc16 k3", Pass::GradInput, "winograd-4x4"),
        ("n1h16w16c16 oc16 k3", Pass::GradInput, "winograd-4x4"),
        ("n1h4w4c16 oc16 k3", Pass::GradInput, "direct"),
        ("n4h6w6c16 oc16 k3 psame", Pass::GradInput, "winograd-2x2"),
        ("n9h9w9c16 oc16 k3", Pass::GradWeight, "winograd-4x4"),
        ("n9h4w8c16 oc16 k3", Pass::GradWeight, "winograd-2x2"),
        ("n4h9w9c16 oc16 k5", Pass::Forward, "winograd-2x2-5x5"),
        ("n4h9w9c16 oc16 k5 psame", Pass::GradInput, "winograd-2x2-5x5"),
        ("n9h9w9c16 oc16 k5", Pass::GradWeight, "winograd-2x2-5x5"),
        ("n1h3w3c16 oc16 k5 psame", Pass::Forward, "direct"),
        ("n1h8w8c16 oc16 k5 p5,0,0,0", Pass::GradInput, "direct"),
        ("n1h8w8c24 oc16 k3", Pass::Forward, "direct"),
        ("n1h8w8c16 oc8 k3", Pass::Forward, "direct"),
        ("n1h8w8c16 oc16 k3 p3,0,0,0", Pass::GradInput, "direct"),
        ("n1h8w8c16 oc16 k3 s2", Pass::Forward, "direct"),
        ("n1h8w8c16 oc16 k3 d2", Pass::Forward, "direct"),
    ] {
        assert_eq!(ConvPlan::new(geometry(problem), pass).algorithm(), picked, "{problem}, {pass}");
        assert_eq!(ConvPlan::plain(geometry(problem), pass, level).algorithm(), "direct", "{problem}, {pass}");
    }
}

#[test]
fn answers_give_the_rule_and_the_numbers() {
    let reasons = |problem| {
        let candidates = ConvPlan::candidates(&geometry(problem), Pass::Forward, Level::current());
        let declines = |candidate: Candidate| match candidate.answer {
            Answer::Declines(why) => Some(why.to_string()),
            Answer::PassedOver(_) | Answer::Takes => None,
        };
        candidates.into_iter().filter_map(declines).collect::<Vec<_>>()
    };
    let winograd = "it takes 3x3 kernels with stride 1, dilation 1 and one group; this kernel is 3x1, the stride 2x1, the \
                    dilation 1x1, with 1 groups";
    let of_five = winograd.replace("3x3", "5x5");
    assert_eq!(
        reasons("n1h8w9c4 oc8 k3x1 s2x1 p1,0,0,2"),
        [
            "it takes 1x1 kernels with stride 1 and no padding; this kernel is 3x1, the stride 2x1, the padding 1 + 0 rows \
             and 0 + 2 columns",
            "it takes as many groups as input channels, and more than one; there are 1 groups and 4 channels",
            winograd,
            winograd,
            &of_five,
        ]
    );
    assert_eq!(reasons("n1h8w9c4 oc8 k1 g4")[0], "groups of one channel make no matrix product; there are 4 groups");
}

#[test]
fn every_algorithm_can_be_forced_where_it_accepts() {
    let level = Level::new(Isa::Portable).expect("the portable level is always there");
    let pointwise = geometry("n1h8w8c4 oc8 k1");
    for name in algorithms() {
        match ConvPlan::forced(name, pointwise, Pass::Forward, level) {
            Ok(plan) => assert_eq!((plan.algorithm(), plan.level()), (name, level)),
            Err(error) => assert!(name == "depthwise" || name.starts_with("winograd"), "{error}"),
        }
    }
}

#[test]
fn an_unknown_name_is_refused_with_all_names() {
    let error = ConvPlan::forced("fft", geometry("n1h8w8c4 oc8 k1"), Pass::Forward, Level::current()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no algorithm is called 'fft'; there are [\"pointwise\", \"depthwise\", \"winograd-2x2\", \"winograd-4x4\", \
         \"winograd-2x2-5x5\", \"direct\", \"im2col+gemm\", \"reference\"]"
    );
}

#[test]
fn a_forced_algorithm_that_declines_is_an_error() {
    let error = ConvPlan::forced("depthwise", geometry("n1h8w8c4 oc8 k3"), Pass::GradInput, Level::current());
    assert_eq!(
        error.unwrap_err().to_string(),
        "algorithm 'depthwise' cannot run grad_input here: it takes as many groups as input channels, and more than one; \
         there are 1 groups and 4 channels"
    );
}

#[test]
fn a_plan_runs_its_own_pass_only() {
    let g = geometry("n1h3w3c1 oc1 k2");
    let problem: ConvProblem = "n1h3w3c1 oc1 k2".parse().expect("a problem");
    let operands = problem.operands(Fill::Integers, 1);
    for made in Pass::ALL {
        let mut plan = ConvPlan::new(g, made);
        let (mut output, mut grad_input, mut grad_weight) = ([7.0; 4], [7.0; 9], [7.0; 4]);
        let results = [
            plan.forward(Forward {
                input: &operands.input,
                weight: &operands.weight,
                bias: None,
                activation: Activation::Linear,
                output: &mut output,
            }),
            plan.grad_input(GradInput {
                grad_output: &operands.grad_output,
                weight: &operands.weight,
                grad_input: &mut grad_input,
            }),
            plan.grad_weight(GradWeight {
                input: &operands.input,
                grad_output: &operands.grad_output,
                grad_weight: &mut grad_weight,
            }),
        ];
        for (asked, result) in Pass::ALL.into_iter().zip(results) {
            if asked == made {
                assert_eq!(result, Ok(()));
            } else {
                let error = result.unwrap_err();
                assert_eq!(error, ConvError::WrongPass { made, asked });
                assert_eq!(error.to_string(), format!("this plan was made for the {made} pass; it cannot run {asked}"));
            }
        }
        let written = [output != [7.0; 4], grad_input != [7.0; 9], grad_weight != [7.0; 4]];
        assert_eq!(written, Pass::ALL.map(|pass| pass == made), "a refused call writes nothing");
    }
}

/// Each argument, one element short.
#[test]
fn wrong_lengths_are_refused_by_name() {
    let g = geometry("n1h3w4c2 oc5 k2");
    let sizes = [
        ("input", "[1, 3, 4, 2]", 24),
        ("weight", "[2, 2, 2, 5]", 40),
        ("bias", "[5]", 5),
        ("output", "[1, 2, 3, 5]", 30),
    ];
    let forward = |short: &str| {
        let [input, weight, bias, mut output] =
            sizes.map(|(name, _, len)| vec![0.0; if name == short { len - 1 } else { len }]);
        let arguments = Forward {
            input: &input,
            weight: &weight,
            bias: Some(&bias),
            activation: Activation::Linear,
            output: &mut output,
        };
        ConvPlan::new(g, Pass::Forward).forward(arguments)
    };
    assert_eq!(forward("none"), Ok(()));
    for (name, dims, len) in sizes {
        let want = format!("{name} must have {len} elements, {dims}; received {}", len - 1);
        assert_eq!(forward(name).unwrap_err().to_string(), want);
    }
    let grad_input = |lens: [usize; 3]| {
        let [grad_output, weight, mut grad_input] = lens.map(|len| vec![0.0; len]);
        let arguments = GradInput { grad_output: &grad_output, weight: &weight, grad_input: &mut grad_input };
        ConvPlan::new(g, Pass::GradInput).grad_input(arguments).map_err(|error| error.to_string())
    };
    assert_eq!(grad_input([30, 40, 24]), Ok(()));
    let texts = [
        ([31, 40, 24], "grad_output must have 30 elements, [1, 2, 3, 5]; received 31"),
        ([30, 0, 24], "weight must have 40 elements, [2, 2, 2, 5]; received 0"),
        ([30, 40, 25], "grad_input must have 24 elements, [1, 3, 4, 2]; received 25"),
    ];
    for (lens, text) in texts {
        assert_eq!(grad_input(lens), Err(text.to_owned()));
    }
    let grad_weight = |lens: [usize; 3]| {
        let [input, grad_output, mut grad_weight] = lens.map(|len| vec![0.0; len]);
        let arguments = GradWeight { input: &input, grad_output: &grad_output, grad_weight: &mut grad_weight };
        ConvPlan::new(g, Pass::GradWeight).grad_weight(arguments).map_err(|error| error.to_string())
    };
    assert_eq!(grad_weight([24, 30, 40]), Ok(()));
    let texts = [
        ([23, 30, 40], "input must have 24 elements, [1, 3, 4, 2]; received 23"),
        ([24, 29, 40], "grad_output must have 30 elements, [1, 2, 3, 5]; received 29"),
        ([24, 30, 41], "grad_weight must have 40 elements, [2, 2, 2, 5]; received 41"),
    ];
    for (lens, text) in texts {
        assert_eq!(grad_weight(lens), Err(text.to_owned()));
    }
    let bias = |lens: [usize; 2]| {
        let [grad_output, mut sums] = lens.map(|len| vec![0.0; len]);
        grad_bias(&g, &grad_output, &mut sums).map_err(|error| error.to_string())
    };
    assert_eq!(bias([30, 5]), Ok(()));
    assert_eq!(bias([29, 5]), Err("grad_output must have 30 elements, [1, 2, 3, 5]; received 29".to_owned()));
    assert_eq!(bias([30, 6]), Err("grad_bias must have 5 elements, [5]; received 6".to_owned()));
}

/// A NaN or an infinity of the input reaches the output, also through relu.
#[test]
fn nan_passes_through_relu() {
    for problem in ["n1h1w1c1 oc1 k1", "n1h1w1c2 oc2 k1 g2", "n1h1w1c1 oc1 k3 psame"] {
        let g = geometry(problem);
        for name in algorithms() {
            for level in Level::available() {
                let Ok(mut plan) = ConvPlan::forced(name, g, Pass::Forward, level) else { continue };
                let mut output = vec![0.0; g.output().len()];
                let arguments = Forward {
                    input: &vec![f32::NAN; g.input().len()],
                    weight: &vec![1.0; g.weight_len()],
                    bias: None,
                    activation: Activation::Relu,
                    output: &mut output,
                };
                plan.forward(arguments).expect("the lengths are right");
                assert!(output.iter().all(|x| x.is_nan()), "{problem}: {name}, {level}: {output:?}");
            }
        }
    }
}
