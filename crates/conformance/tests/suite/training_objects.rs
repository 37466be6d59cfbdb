//! Optimizers, schedules and losses from what Keras writes of them.

use serde_json::Value;
use stampnet_nn::optimizers::{Descent, Rule};
use stampnet_nn::schedules::{
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay,
    Schedule,
};
use stampnet_nn::{Adagrad, Adam, AdamW, Lion, Loss, Model, Nadam, Objective, RMSprop, Sgd};

/// Compiles `model` with an optimizer and a loss as Keras serializes them.
///
/// # Errors
/// One of them does not exist here.
pub(crate) fn compile(model: &mut Model, optimizer: &Value, loss: &Value) -> Result<(), String> {
    let loss = read_loss(loss);
    let config = &optimizer["config"];
    let number = |key: &str| config[key].as_f64().unwrap_or_else(|| panic!("{key} is a number"));
    let is_set = |key: &str| config[key] == true;
    let rate = Rate::read(&config["learning_rate"]);
    let result = match optimizer["class_name"].as_str().expect("a class") {
        "SGD" => {
            let sgd = Sgd::new(rate).momentum(number("momentum")).nesterov(is_set("nesterov"));
            model.compile(shared(sgd, config), loss)
        }
        "RMSprop" => {
            let rmsprop = RMSprop::new(rate).rho(number("rho")).momentum(number("momentum"));
            let rmsprop = rmsprop.epsilon(number("epsilon")).centered(is_set("centered"));
            model.compile(shared(rmsprop, config), loss)
        }
        "Adam" => {
            let adam = Adam::new(rate).beta_1(number("beta_1")).beta_2(number("beta_2"));
            model.compile(shared(adam.epsilon(number("epsilon")).amsgrad(is_set("amsgrad")), config), loss)
        }
        "AdamW" => {
            let adam = AdamW::new(rate).beta_1(number("beta_1")).beta_2(number("beta_2"));
            model.compile(shared(adam.epsilon(number("epsilon")).amsgrad(is_set("amsgrad")), config), loss)
        }
        "Nadam" => {
            let nadam = Nadam::new(rate).beta_1(number("beta_1")).beta_2(number("beta_2")).epsilon(number("epsilon"));
            model.compile(shared(nadam, config), loss)
        }
        "Adagrad" => {
            let adagrad = Adagrad::new(rate).initial_accumulator_value(number("initial_accumulator_value"));
            model.compile(shared(adagrad.epsilon(number("epsilon")), config), loss)
        }
        "Lion" => {
            let lion = Lion::new(rate).beta_1(number("beta_1")).beta_2(number("beta_2"));
            model.compile(shared(lion, config), loss)
        }
        other => return Err(format!("there is no optimizer {other}")),
    };
    result.map_err(|error| error.to_string())
}

/// What all optimizers have.
fn shared<R: Rule>(mut descent: Descent<R>, config: &Value) -> Descent<R> {
    if let Some(limit) = config["clipnorm"].as_f64() {
        descent = descent.clipnorm(limit);
    }
    if let Some(limit) = config["clipvalue"].as_f64() {
        descent = descent.clipvalue(limit);
    }
    if let Some(limit) = config["global_clipnorm"].as_f64() {
        descent = descent.global_clipnorm(limit);
    }
    if let Some(weight_decay) = config["weight_decay"].as_f64() {
        descent = descent.weight_decay(weight_decay);
    }
    descent
}

/// A learning rate of any kind.
#[derive(Debug)]
struct Rate(Box<dyn Schedule>);

impl Schedule for Rate {
    fn at(&self, step: u64) -> f64 {
        self.0.at(step)
    }
}

impl Rate {
    fn read(value: &Value) -> Self {
        if let Some(rate) = value.as_f64() {
            return Self(Box::new(rate));
        }
        let config = &value["config"];
        let number = |key: &str| config[key].as_f64().unwrap_or_else(|| panic!("{key} is a number"));
        let steps = |key: &str| number(key) as u64;
        let first = config["initial_learning_rate"].as_f64();
        let initial = || first.expect("where it begins");
        Self(match value["class_name"].as_str().expect("a class") {
            "ExponentialDecay" => {
                let decay = ExponentialDecay::new(initial(), steps("decay_steps"), number("decay_rate"));
                Box::new(decay.staircase(config["staircase"] == true))
            }
            "CosineDecay" => {
                let decay = CosineDecay::new(initial(), steps("decay_steps")).alpha(number("alpha"));
                match config["warmup_target"].as_f64() {
                    Some(target) => Box::new(decay.warmup(steps("warmup_steps"), target)),
                    None => Box::new(decay),
                }
            }
            "CosineDecayRestarts" => {
                let decay = CosineDecayRestarts::new(initial(), steps("first_decay_steps")).alpha(number("alpha"));
                Box::new(decay.t_mul(number("t_mul")).m_mul(number("m_mul")))
            }
            "PiecewiseConstantDecay" => {
                let numbers = |key: &str| -> Vec<f64> { serde_json::from_value(config[key].clone()).expect("numbers") };
                let boundaries: Vec<u64> = numbers("boundaries").into_iter().map(|step| step as u64).collect();
                Box::new(PiecewiseConstantDecay::new(boundaries, numbers("values")))
            }
            "PolynomialDecay" => {
                let decay = PolynomialDecay::new(initial(), steps("decay_steps")).power(number("power"));
                Box::new(decay.end_learning_rate(number("end_learning_rate")).cycle(config["cycle"] == true))
            }
            "InverseTimeDecay" => {
                let decay = InverseTimeDecay::new(initial(), steps("decay_steps"), number("decay_rate"));
                Box::new(decay.staircase(config["staircase"] == true))
            }
            other => panic!("there is no schedule {other}"),
        })
    }
}

fn read_loss(value: &Value) -> Objective {
    let config = &value["config"];
    let loss = match value["class_name"].as_str().expect("a class") {
        "SparseCategoricalCrossentropy" => Loss::SparseCategoricalCrossentropy,
        "CategoricalCrossentropy" => Loss::CategoricalCrossentropy,
        "BinaryCrossentropy" => Loss::BinaryCrossentropy,
        "MeanSquaredError" => Loss::MeanSquaredError,
        "MeanAbsoluteError" => Loss::MeanAbsoluteError,
        "Huber" => Loss::Huber,
        other => panic!("there is no loss {other}"),
    };
    let number = |key: &str, default| config[key].as_f64().unwrap_or(default) as f32;
    let objective = loss.label_smoothing(number("label_smoothing", 0.0)).delta(number("delta", 1.0));
    objective.from_logits(config["from_logits"] == true)
}
