//! The program far away from any data. It is copied, and a copy can't be started while another thread starts a process
//! (the new process holds the file open for writing for an instant), so this test has a file of its own.

mod common;

use common::Place;

#[test]
fn without_any_data_the_message_says_where_was_looked() {
    let place = Place::new();
    let program = place.path("stampnet");
    std::fs::copy(env!("CARGO_BIN_EXE_stampnet"), &program).unwrap();
    let output = std::process::Command::new(&program).current_dir(place.path("data")).output().unwrap();
    let run = common::Run::from(output);
    assert_eq!(run.code, Some(1));
    for text in [
        "there is no data: no folder 'datasets/fashion-mnist' was found in ",
        "or the folders above; name the folder of",
        &format!("{}'", place.path("data").display()),
        "--data",
    ] {
        assert!(run.err.contains(text), "no {text}: {}", run.err);
    }
}
