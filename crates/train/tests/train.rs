//! Training, testing and using a network with the real binary.

mod common;

use std::path::Path;

use common::Place;

/// The number in column `name` of a CSV line.
fn column(csv: &str, line: usize, name: &str) -> f64 {
    let at = csv.lines().next().unwrap().split(',').position(|head| head == name).unwrap();
    csv.lines().nth(line).unwrap().split(',').nth(at).unwrap().parse().unwrap()
}

#[test]
fn a_run_leaves_model_settings_history_and_curves() {
    let place = Place::new();
    let run = place.train().succeeded();
    let files = ["curves.svg", "history.csv", "model.safetensors", "results.json", "settings.json"];
    assert_eq!(place.list("run"), files);

    let settings: serde_json::Value = serde_json::from_str(&place.read("run/settings.json")).unwrap();
    for (key, want) in [("seed", 42), ("epochs", 2), ("batch", 4), ("patience", 2)] {
        assert_eq!(settings[key], want, "{key}");
    }
    assert_eq!(settings["optimizer"]["config"]["learning_rate"], 0.02);
    assert_eq!(settings["winograd"], true);
    assert_eq!(settings["model"]["config"]["name"], "tiny");
    assert_eq!(settings["run"]["classes"], serde_json::json!(["hat", "belt", "shoe"]));
    assert_eq!((&settings["run"]["validation_images"], &settings["run"]["threads"]), (&12.into(), &1.into()));

    let history = place.read("run/history.csv");
    assert_eq!(history.lines().count(), 3);
    assert!(column(&history, 2, "loss") < column(&history, 1, "loss"));
    assert_eq!(column(&history, 2, "epoch"), 2.0);

    let svg = place.read("run/curves.svg");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains(">test accuracy<"));

    let results: serde_json::Value = serde_json::from_str(&place.read("run/results.json")).unwrap();
    let counts = results["confusion"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
    assert_eq!(counts.map(|count| count.as_u64().unwrap()).sum::<u64>(), 12);

    for text in
        ["Layer (type)", "conv2d (Conv2D)", "48 images to train on", "epoch", "2/2", "confusion matrix", "are in run\n"]
    {
        assert!(run.out.contains(text), "{text} is not in\n{}", run.out);
    }
    assert!(!run.out.contains('\u{1b}') && run.err.is_empty(), "{run:?}");
}

#[test]
fn json_is_the_last_line_and_the_only_one_on_standard_output() {
    let place = Place::new();
    let run = place.run("--data data --model network.json --epochs 3 --batch 4 --lr 0.02 --out run --json").succeeded();
    assert_eq!(run.out.lines().count(), 1);
    let json = run.json();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["test_accuracy", "test_loss", "epochs", "seconds", "images_per_s"]);
    assert_eq!(json["epochs"], 3);
    assert!(json["test_accuracy"].as_f64().unwrap() > 0.9, "{json}");
    assert!(json["seconds"].as_f64().unwrap() > 0.0 && json["images_per_s"].as_f64().unwrap() > 0.0);
    assert!(run.err.contains("confusion matrix"), "{}", run.err);

    // The saved network gives the same numbers again; it knows where its data is.
    let again = place.run("evaluate run --json").succeeded().json();
    for key in ["test_accuracy", "test_loss"] {
        assert!((again[key].as_f64().unwrap() - json[key].as_f64().unwrap()).abs() < 1e-6, "{key}: {again} {json}");
    }
}

#[test]
fn one_seed_gives_one_network_on_any_number_of_threads() {
    let place = Place::new();
    let train = |options: &str, out: &str| {
        let fixed = "train --data data --model network.json --epochs 2 --batch 8 --out";
        place.run(&format!("{fixed} {out} {options}")).succeeded();
        std::fs::read(place.path(out).join("model.safetensors")).unwrap()
    };
    let first = train("--threads 1", "a");
    assert!(first == train("--threads 3", "b"), "threads change the network");
    assert!(first != train("--threads 1 --seed 43", "c"), "the seed changes nothing");
}

#[test]
fn a_run_is_repeated_by_its_settings() {
    let place = Place::new();
    let weights = |out: &str| std::fs::read(place.path(out).join("model.safetensors")).unwrap();
    place.train().succeeded();
    // Neither the network's file nor the options are needed again.
    std::fs::remove_file(place.path("network.json")).unwrap();
    place.run("train --settings run/settings.json --out again").succeeded();
    assert!(weights("run") == weights("again"), "the settings do not repeat the run");
    place.run("train --settings run/settings.json --out other --seed 43").succeeded();
    assert!(weights("run") != weights("other"), "the seed changes nothing");
    place.run("train --settings run/settings.json --out exact --no-winograd").succeeded();
    let settings: serde_json::Value = serde_json::from_str(&place.read("exact/settings.json")).unwrap();
    assert_eq!(settings["winograd"], false);
}

#[test]
fn a_settings_file_trains_on_all_images_with_augmentation_averages_and_a_schedule() {
    let place = Place::new();
    let mut network: serde_json::Value = serde_json::from_str(&common::network(3)).unwrap();
    let augmentation = serde_json::json!([
        {"class_name": "RandomTranslation", "config": {"name": "shift", "height_factor": 0.0, "width_factor": 0.2}},
        {"class_name": "RandomErasing", "config": {"name": "erase", "factor": 0.2, "value_range": [0.0, 1.0]}},
    ]);
    let layers = network["config"]["layers"].as_array_mut().unwrap();
    layers.splice(1..1, augmentation.as_array().unwrap().clone());
    let settings = serde_json::json!({
        "model": network,
        "optimizer": {"class_name": "SGD", "config": {
            "learning_rate": {"class_name": "OneCycle", "config": {"max_learning_rate": 0.2}},
            "momentum": 0.9, "nesterov": true, "weight_decay": 5e-4, "exclude_from_weight_decay": ["bias"],
            "use_ema": true, "ema_momentum": 0.8,
        }},
        "loss": {"class_name": "SparseCategoricalCrossentropy", "config": {"label_smoothing": 0.1}},
        "epochs": 8, "batch": 6, "validation_split": 0, "data": "data",
    });
    place.write("recipe.json", settings.to_string().as_bytes());
    let run = place.run("train --settings recipe.json --out run --json").succeeded();
    assert_eq!(run.json()["test_accuracy"], 1.0, "{run:?}");
    assert!(run.err.contains("60 images to train on, 0 to validate with"), "{}", run.err);
    assert!(run.err.contains("SGD, learning rate by OneCycle, batches of 6"), "{}", run.err);
    assert!(run.err.contains("Done after 8 epochs") && run.err.contains("the last weights are kept"), "{}", run.err);
    assert!(!run.err.contains("val_loss") && !place.read("run/history.csv").contains("val_loss"), "{}", run.err);
    // Label smoothing is part of the loss that the test reports, then and now.
    let again = place.run("evaluate run --json").succeeded().json();
    assert_eq!(again["test_loss"], run.json()["test_loss"]);
    place.run("train --settings run/settings.json --out again --threads 1").succeeded();
    let weights = |out: &str| std::fs::read(place.path(out).join("model.safetensors")).unwrap();
    assert!(weights("run") == weights("again"), "the settings do not repeat the run");
}

#[test]
fn training_stops_when_validation_gets_no_better() {
    let place = Place::new();
    // With this learning rate, the loss is bound to jump about.
    let run =
        place.run("train --data data --model network.json --epochs 200 --batch 4 --lr 0.5 --patience 1 --out run");
    let out = run.succeeded().out;
    assert!(out.contains("Stopped early after "), "{out}");
    let epochs = place.read("run/history.csv").lines().count() - 1;
    assert!(epochs < 200);
    assert!(out.contains(&format!("the weights of epoch {}, the best one, are kept", epochs - 1)), "{out}");
}

#[test]
fn without_early_stopping_all_epochs_run() {
    let place = Place::new();
    let options = "--epochs 12 --batch 4 --lr 0.5 --no-early-stopping";
    let out = place.run(&format!("train --data data --model network.json --out run {options}")).succeeded().out;
    assert!(out.contains("Done after 12 epochs"), "{out}");
    assert!(out.contains("the last weights are kept"), "{out}");
}

#[test]
fn a_network_may_have_more_outputs_than_there_are_classes() {
    let place = Place::new();
    place.write("network.json", common::network(3).replace("\"units\":3", "\"units\":5").as_bytes());
    let out = place.train().succeeded().out;
    assert!(out.contains("hat") && out.contains("class 4"), "{out}");
    let results: serde_json::Value = serde_json::from_str(&place.read("run/results.json")).unwrap();
    assert_eq!(results["class_accuracy"][4], serde_json::Value::Null);
}

#[test]
fn a_run_without_out_is_named_after_time_and_network() {
    let place = Place::new();
    let train = "train --data data --model network.json --epochs 1";
    place.run(train).succeeded();
    place.run(train).succeeded();
    let runs = place.list("runs");
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert!(runs.iter().all(|name| name.contains("-network")), "{runs:?}");
}

#[test]
fn pictures_are_recognized_whatever_their_size_and_ground() {
    let place = Place::new();
    place.run("train --data data --model network.json --epochs 8 --batch 4 --lr 0.02 --out run").succeeded();
    for (class, name) in ["hat", "belt", "shoe"].into_iter().enumerate() {
        let small = common::pixels(class, 0);
        place.write_png("small.png", 6, 5, &small);
        // Four times as large, dark on light, with a light frame.
        let (h, w) = (24, 20);
        let large: Vec<u8> = (0..h * w).map(|at| 255 - small[at / w / 4 * 5 + at % w / 4]).collect();
        place.write_png("large.png", h as u32, w as u32, &large);
        let run = place.run("predict run small.png large.png --top 1 --json --invert auto").succeeded();
        let lines: Vec<serde_json::Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["predictions"][0]["name"], name, "{run:?}");
        assert_eq!(lines[0]["image"], "small.png");
        let run = place.run("predict run large.png --invert yes --show").succeeded();
        let second = run.out.lines().find(|line| line.contains('%')).unwrap();
        assert!(second.trim_start().starts_with(name), "{}", run.out);
        assert!(run.out.starts_with("large.png (inverted)\n") && run.out.contains("@@"), "{}", run.out);
    }
}

#[test]
fn summaries_are_kerass() {
    let place = Place::new();
    let out = place.run("summary").succeeded().out;
    for text in ["conv2d (Conv2D)", "(None, 28, 28, 32)", "320", "max_pooling2d_1", "313,700", "Total params: 333,526"]
    {
        assert!(out.contains(text), "{text} is not in\n{out}");
    }
    assert!(place.run("summary dense").succeeded().out.contains("79,510"));
    assert!(place.run("summary cnn-average").succeeded().out.contains("AveragePooling2D"));
    assert!(place.run("summary network.json").succeeded().out.contains("(None, 4, 3, 4)"));
    place.train().succeeded();
    assert!(place.run("summary run").succeeded().out.contains("(None, 4, 3, 4)"));
}

#[test]
fn every_command_has_examples() {
    let place = Place::new();
    for command in ["", "train", "evaluate", "predict", "summary", "bench conv", "bench step"] {
        let out = place.run(&format!("{command} --help")).succeeded().out;
        assert!(out.contains("Examples:\n  stampnet"), "{command}\n{out}");
    }
    assert!(place.run("--version").succeeded().out.starts_with("stampnet "));
}

/// Ctrl-C ends the run, saves the network and says so.
#[cfg(unix)]
#[test]
fn an_interrupt_saves_what_was_learned() {
    use std::process::{Command, Stdio};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    let place = Place::new();
    let endless = "train --data data --model network.json --epochs 100000000 --no-early-stopping --out run --json";
    let mut command = place.command(endless);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Its output would fill the pipe in the end; the first epochs take far less.
    let begin = Instant::now();
    while !is_file(&place.path("run/history.csv")) {
        assert!(begin.elapsed() < Duration::from_secs(60), "no epoch within a minute");
        sleep(Duration::from_millis(2));
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let run = common::Run::from(child.wait_with_output().unwrap()).succeeded();
    assert!(run.err.contains("Interrupted in epoch ") && run.err.contains("are in run\n"), "{}", run.err);
    let json = run.json();
    assert!(json["test_accuracy"].is_null() && json["epochs"].as_u64().unwrap() >= 1, "{json}");
    assert_eq!(place.list("run"), ["curves.svg", "history.csv", "model.safetensors", "settings.json"]);
    place.run("evaluate run").succeeded();
}

fn is_file(path: &Path) -> bool {
    path.is_file()
}
