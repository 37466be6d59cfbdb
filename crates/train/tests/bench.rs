//! The bench commands; what they measure is not asserted.

mod common;

use std::collections::BTreeSet;

use common::Place;

#[test]
fn bench_conv_prints_a_line_per_pass_and_algorithm() {
    let place = Place::new();
    let run = place.run("bench conv --only lenet/conv2 --batch 1 --seconds 0 --json").succeeded();
    let lines: Vec<serde_json::Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let passes: BTreeSet<&str> = lines.iter().map(|line| line["pass"].as_str().unwrap()).collect();
    assert_eq!(passes.into_iter().collect::<Vec<_>>(), ["forward", "grad_input", "grad_weight"]);
    for line in &lines {
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        let want = ["spec", "pass", "precision", "threads", "algorithm", "picked", "ms", "gflops"];
        assert_eq!(keys, want);
        assert_eq!(line["spec"], serde_json::json!([1, 14, 14, 6, 16, 5, 1, 0, 1]));
        assert!(line["ms"].as_f64().unwrap() > 0.0 && line["precision"] == "float32", "{line}");
    }
    let picked = |pass: &str| lines.iter().filter(|line| line["pass"] == pass && line["picked"] == true).count();
    assert_eq!(["forward", "grad_input", "grad_weight"].map(picked), [1; 3]);
    assert!(run.err.contains("of peak") && run.err.contains("1 x 14x14x6 -> 10x10x16, 5x5"), "{}", run.err);
}

#[test]
fn bench_conv_selects() {
    let place = Place::new();
    let arguments = "bench conv --only lenet/conv2 --batch 1 --seconds 0 --pass grad_weight --algorithm reference";
    let out = place.run(arguments).succeeded().out;
    assert_eq!(out.lines().filter(|line| line.contains("reference")).count(), 1, "{out}");
    let run = place.run("bench conv --only nothing");
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("'nothing'"), "{}", run.err);
}

#[test]
fn bench_step_measures_real_and_made_up_images() {
    let place = Place::new();
    for (arguments, source) in [
        ("bench step --model network.json --data data --batch 8 --steps 2 --threads 1 --json", "real images"),
        ("bench step --model network.json --batch 8 --steps 2 --threads 1 --json", "made-up images"),
    ] {
        let run = place.run(arguments).succeeded();
        let json = run.json();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["images_per_s", "precision", "threads", "batch"]);
        assert_eq!((&json["threads"], &json["batch"]), (&1.into(), &8.into()));
        assert!(run.err.contains(source), "{}", run.err);
    }
}
