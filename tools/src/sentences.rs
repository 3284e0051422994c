//! Built-in texts for each head, where the user gives none.

use distil_format::Head;

/// Three sentences in everyday words; for a masked-LM head each has a `[MASK]`, for question answering each is a question
/// and a context with a tab between them.
pub fn built_in(head: Head) -> [&'static str; 3] {
    match head {
        Head::MaskedLm => [
            "turn the lights in the [MASK] off.",
            "paris is the capital of [MASK].",
            "it was cold, so she closed the [MASK] and made a cup of tea.",
        ],
        Head::QuestionAnswering => [
            "what is off?\tturn the lights in the kitchen off.",
            "where is the music?\ta man is playing music in the street.",
            "what did she close?\tit was cold, so she closed the window and made a cup of tea.",
        ],
        Head::Embedding | Head::SequenceClassification | Head::TokenClassification => [
            "turn the lights in the kitchen off.",
            "a man is playing music in the street.",
            "it was cold, so she closed the window and made a cup of tea.",
        ],
    }
}
