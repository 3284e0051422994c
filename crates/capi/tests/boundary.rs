//! The functions of the C interface, called as C calls them, in memory of just the size that was asked for. What they answer is compared
//! between C and Rust by `cargo xtask test --only capi`.
#![allow(unsafe_code, reason = "the functions take pointers, as from C")]

use std::mem::MaybeUninit;
use std::ptr::null;

use distil::boundary::answers::*;
use distil::boundary::model::*;
use distil::boundary::opening::*;
use distil::boundary::session::*;
use distil::status::{DISTIL_ERROR_CAPACITY, DISTIL_ERROR_TOO_LONG, DISTIL_MORE, DISTIL_OK};
use distil::types::*;
use distil_forge::{Kind, Stored, file};
use distil_format::{AlignedBytes, Dtype, Head, Layout};

const TEXT: &str = "ab é";

/// Opens a small file in slices and starts a session in a buffer of just its size; `use_it` gets both.
fn with_session(head: Head, use_it: impl Fn(&distil_model, *mut distil_session)) {
    let stored = Stored::All(Dtype::Int8, Layout::Tile16);
    let bytes = AlignedBytes::copy_of(&file(Kind { head, stored }));
    let mut opening = MaybeUninit::<distil_opening>::uninit();
    let mut model = MaybeUninit::<distil_model>::uninit();
    let mut needed = 0;
    let mut session = std::ptr::null_mut();
    // SAFETY: everything that is pointed to is there, and the bytes and the buffer stay until the end.
    unsafe {
        let started =
            distil_opening_start(DISTIL_ABI_VERSION, bytes.as_ptr().cast(), bytes.len(), opening.as_mut_ptr());
        assert_eq!(started, DISTIL_OK);
        while distil_opening_step(opening.as_mut_ptr(), 512, model.as_mut_ptr()) == DISTIL_MORE {
            // Copied in between, as C may.
            opening = MaybeUninit::new(opening.assume_init());
        }
        let model = model.assume_init();
        let options = distil_options { max_tokens: 6, plan: DISTIL_PLAN_SMALL, truncate: 0 };
        assert_eq!(distil_memory(&model, 6, DISTIL_PLAN_SMALL, &mut needed), DISTIL_OK);
        let mut buffer = AlignedBytes::copy_of(&vec![0xA5; needed]);
        let memory = buffer.as_mut_ptr();
        let status = distil_start(&model, &options, memory.cast(), needed, &mut session);
        assert_eq!(status, DISTIL_OK);
        use_it(&model, session);
        // A second session in the same buffer, without an end of the first.
        assert_eq!(distil_start(&model, &options, memory.cast(), needed, &mut session), DISTIL_OK);
        use_it(&model, session);
    }
}

#[test]
fn a_text_is_classified_again_and_again() {
    with_session(Head::SequenceClassification, |_, session| {
        let mut found = MaybeUninit::<distil_classification>::uninit();
        let mut values = MaybeUninit::<distil_values>::uninit();
        let mut last = None;
        for _ in 0..2 {
            // SAFETY: as in `with_session`; what is read was written.
            unsafe {
                let status = distil_classify(session, TEXT.as_ptr().cast(), TEXT.len(), null(), 0, found.as_mut_ptr());
                assert_eq!(status, DISTIL_OK);
                let found = found.assume_init();
                let scores = std::slice::from_raw_parts(found.scores.values, found.scores.len);
                assert_eq!(scores[found.label as usize], found.probability);
                assert!(last.replace(found.probability).is_none_or(|before| before == found.probability));
                assert_eq!(distil_hidden(session, values.as_mut_ptr()), DISTIL_OK);
                let hidden = values.assume_init();
                assert_eq!(std::slice::from_raw_parts(hidden.values, hidden.len).len(), 2, "[CLS] alone");
                let long = "a a a a a a";
                let status = distil_classify(session, long.as_ptr().cast(), long.len(), null(), 0, &mut { found });
                assert_eq!(status, DISTIL_ERROR_TOO_LONG);
                let mut text = [0_u8; 16];
                assert!(distil_session_message(session, text.as_mut_ptr().cast(), text.len()) > 16 && text[15] == 0);
            }
        }
    });
}

#[test]
fn words_answers_and_masks_are_written_to_the_caller() {
    with_session(Head::TokenClassification, |_, session| {
        let mut tags = [MaybeUninit::<distil_tag>::uninit(); 1];
        let mut count = 0;
        // SAFETY: as in `with_session`.
        unsafe {
            let (text, tags) = (TEXT.as_ptr().cast(), tags.as_mut_ptr().cast());
            assert_eq!(distil_tag_words(session, text, TEXT.len(), tags, 1, &mut count), DISTIL_ERROR_CAPACITY);
        }
        assert_eq!(count, 2);
    });
    with_session(Head::QuestionAnswering, |_, session| {
        let mut top = [distil_answer::default(); 2];
        let mut found = distil_answers::default();
        // SAFETY: as in `with_session`.
        unsafe {
            let text = TEXT.as_ptr().cast();
            let status =
                distil_find_answers(session, text, 2, text, TEXT.len(), null(), top.as_mut_ptr(), 2, &mut found);
            assert_eq!(status, DISTIL_OK);
        }
        assert!(found.found == 2 && top[0].score >= top[1].score && top[0].end <= TEXT.len());
    });
    with_session(Head::MaskedLm, |model, session| {
        let mut top = [distil_candidate::default(); 3];
        let (mut count, mut len, mut continues) = (0, 0, 0);
        let mut piece = [0_u8; 256];
        let text = "a [MASK]";
        // SAFETY: as in `with_session`.
        unsafe {
            let bytes = text.as_ptr().cast();
            assert_eq!(distil_fill_mask(session, bytes, text.len(), top.as_mut_ptr(), 3, &mut count), DISTIL_OK);
            let buffer = piece.as_mut_ptr().cast();
            assert_eq!(distil_piece(model, 1, buffer, 256, &mut len, &mut continues), DISTIL_OK);
        }
        assert_eq!((count, &piece[..len]), (3, b"ab".as_slice()));
    });
}
