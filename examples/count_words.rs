use std::collections::HashMap;

/// Counts how often each word occurs, in lower case; words are parted by white space.
/// >>> count_words("The cat saw the cat")
/// HashMap::from([(String::from("the"), 2), (String::from("cat"), 2), (String::from("saw"), 1)])
/// >>> count_words("")
/// HashMap::new()
fn count_words(text: &str) -> HashMap<String, usize> {
