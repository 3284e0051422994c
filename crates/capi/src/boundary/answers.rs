//! The heads: from a text to its answer.

use core::ffi::c_char;

use distil_runtime::{Answer, Artifact, Candidate, Classification, Search};

use super::model::view;
use super::pointers::{Failure, Place, check, list_mut, text};
use super::session::{distil_session, numbers, with};
use crate::status::{DISTIL_ERROR_CAPACITY, distil_status};
use crate::types::{
    distil_answer, distil_answers, distil_candidate, distil_classification, distil_search, distil_tag, distil_values,
};

/// Most results that are found in one call: they are held on the stack while they are found.
pub const DISTIL_MAX_TOP: usize = 20;

/// The embedding of a text. Works with every head.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_embed(
    session: *mut distil_session,
    bytes: *const c_char,
    len: usize,
    vector: *mut distil_values,
) -> distil_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(session, |_, session| {
            let place = Place::new(vector)?;
            place.set(numbers(session.embed(text(bytes, len)?)?));
            Ok(())
        })
    }
}

/// Classifies a text, or a text and its pair; `pair` may be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_classify(
    session: *mut distil_session,
    bytes: *const c_char,
    len: usize,
    pair: *const c_char,
    pair_len: usize,
    result: *mut distil_classification,
) -> distil_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(session, |artifact, session| {
            let place = Place::new(result)?;
            let pair = if pair.is_null() { None } else { Some(text(pair, pair_len)?) };
            let found = session.classify(text(bytes, len)?, pair)?;
            place.set(classified(artifact, &found));
            Ok(())
        })
    }
}

/// Classifies one token of those encoded last with a head for tokens, whatever the token is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_classify_token(
    session: *mut distil_session,
    position: usize,
    result: *mut distil_classification,
) -> distil_status {
    // SAFETY: the caller's promises.
    unsafe {
        with(session, |artifact, session| {
            let place = Place::new(result)?;
            let found = session.token_classification(position)?;
            place.set(classified(artifact, &found));
            Ok(())
        })
    }
}

fn classified(artifact: &'static Artifact<'static>, found: &Classification<'_>) -> distil_classification {
    let best = found.best();
    distil_classification {
        label: best as u32,
        probability: found.probability(),
        name: view(artifact.label(best).unwrap_or("")),
        logits: numbers(found.logits()),
        scores: numbers(found.values()),
    }
}

/// Labels the words of a text. Writes as many as fit, and to `count` how many there are; DISTIL_ERROR_CAPACITY if those are
/// more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_tag_words(
    session: *mut distil_session,
    bytes: *const c_char,
    len: usize,
    tags: *mut distil_tag,
    capacity: usize,
    count: *mut usize,
) -> distil_status {
    // SAFETY: the caller's promises; every pattern of bits is a tag, whose pointer is not followed.
    unsafe {
        with(session, |_, session| {
            let (place, tags) = (Place::new(count)?, list_mut(tags, capacity)?);
            let mut words = session.tag(text(bytes, len)?)?;
            let mut count = 0;
            for word in words.by_ref() {
                if let Some(place) = tags.get_mut(count) {
                    let (label, probability) = (word.label as u32, word.probability);
                    let (start, end) = (word.start, word.end);
                    *place = distil_tag { label, probability, name: view(word.name), start, end };
                }
                count += 1;
            }
            if let Some(error) = words.error() {
                return Err(error.into());
            }
            place.set(count);
            if count > capacity { Err(DISTIL_ERROR_CAPACITY.into()) } else { Ok(()) }
        })
    }
}

/// The best answers to a question in a text of any length, best first; at most DISTIL_MAX_TOP. `search` may be null: answers
/// of up to 30 tokens, windows that share 128.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_find_answers(
    session: *mut distil_session,
    question: *const c_char,
    question_len: usize,
    bytes: *const c_char,
    len: usize,
    search: *const distil_search,
    top: *mut distil_answer,
    capacity: usize,
    result: *mut distil_answers,
) -> distil_status {
    // SAFETY: the caller's promises; every pattern of bits is an answer or a search.
    unsafe {
        with(session, |_, session| {
            let (place, top) = (Place::new(result)?, list_mut(top, capacity)?);
            let search = if search.is_null() {
                Search::default()
            } else {
                check(search)?;
                Search { longest: (*search).longest, overlap: (*search).overlap }
            };
            let (question, text) = (text(question, question_len)?, text(bytes, len)?);
            let mut best = [Answer::default(); DISTIL_MAX_TOP];
            let room = capacity.min(DISTIL_MAX_TOP);
            let found = session.answers(question, text, search, &mut best[..room])?;
            for (place, answer) in top.iter_mut().zip(&best[..found.found]) {
                let &Answer { start, end, score, probability, .. } = answer;
                *place = distil_answer { start, end, score, probability };
            }
            place.set(distil_answers {
                found: found.found,
                windows: found.windows,
                tokens: found.tokens,
                no_answer: found.no_answer,
            });
            Ok(())
        })
    }
}

/// Fills the first `[MASK]` of a text: the best vocabulary entries, best first, at most DISTIL_MAX_TOP; `count` becomes their
/// number. distil_piece has their texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_fill_mask(
    session: *mut distil_session,
    bytes: *const c_char,
    len: usize,
    top: *mut distil_candidate,
    capacity: usize,
    count: *mut usize,
) -> distil_status {
    // SAFETY: the caller's promises; every pattern of bits is a candidate.
    unsafe {
        with(session, |_, session| {
            let (place, top) = (Place::new(count)?, list_mut(top, capacity)?);
            let text = text(bytes, len)?;
            place.set(candidates(top, |best| Ok(session.fill_mask(text, best)?.candidates))?);
            Ok(())
        })
    }
}

/// distil_fill_mask at one position of the tokens encoded last, whatever stands there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn distil_predict(
    session: *mut distil_session,
    position: usize,
    top: *mut distil_candidate,
    capacity: usize,
    count: *mut usize,
) -> distil_status {
    // SAFETY: the caller's promises; every pattern of bits is a candidate.
    unsafe {
        with(session, |_, session| {
            let (place, top) = (Place::new(count)?, list_mut(top, capacity)?);
            place.set(candidates(top, |best| Ok(session.predict(position, None, best)?.candidates))?);
            Ok(())
        })
    }
}

/// Finds as many candidates as there is room for, and writes them.
fn candidates(
    top: &mut [distil_candidate],
    find: impl FnOnce(&mut [Candidate]) -> Result<usize, Failure>,
) -> Result<usize, Failure> {
    let mut best = [Candidate::default(); DISTIL_MAX_TOP];
    let found = find(&mut best[..top.len().min(DISTIL_MAX_TOP)])?;
    for (place, &Candidate { id, logit, probability }) in top.iter_mut().zip(&best[..found]) {
        *place = distil_candidate { id, logit, probability };
    }
    Ok(found)
}
