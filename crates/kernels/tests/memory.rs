//! Packed layouts and the views of bytes.

mod common;

use common::*;
use distil_kernels::{Group, Layout, RowScale, cast, layout};

#[test]
fn packing_and_unpacking_give_back_the_matrix() {
    for layout in Layout::ALL {
        for (n, k) in INPUTS[..14].iter().flat_map(|&k| CHANNELS.map(|n| (n, k))) {
            let (bytes, floats) = (painted_bytes(n * k, 1), painted(n * k, 2));
            let mut packed = vec![99; layout::packed_len_int8(n, k, layout).unwrap()];
            layout::pack_int8(&bytes, n, k, layout, &mut packed).unwrap();
            let total = |values: &[i8]| values.iter().map(|&v| i64::from(v)).sum::<i64>();
            assert_eq!(total(&packed), total(&bytes), "the padding is zero");
            let mut back = vec![0; n * k];
            layout::unpack_int8(&packed, n, k, layout, &mut back).unwrap();
            assert_eq!(back, bytes);

            let Some(len) = layout::packed_len_f32(n, k, layout) else {
                assert!(matches!(layout, Layout::Tile8 | Layout::Tile4), "not for floats");
                continue;
            };
            let mut packed = vec![f32::NAN; len];
            layout::pack_f32(&floats, n, k, layout, &mut packed).unwrap();
            assert!(packed.iter().all(|x| x.is_finite()));
            let mut back = vec![0.0; n * k];
            layout::unpack_f32(&packed, n, k, layout, &mut back).unwrap();
            assert_eq!(back, floats);
        }
    }
}

#[test]
fn packing_and_unpacking_give_back_the_nibbles() {
    for (layout, group) in Layout::ALL.into_iter().flat_map(|layout| Group::ALL.map(|group| (layout, group))) {
        for (n, k) in INPUTS[..14].iter().flat_map(|&k| CHANNELS.map(|n| (n, k))) {
            let q: Vec<i8> = painted_bytes(n * k, 1).iter().map(|q| q >> 4).collect();
            let s: Vec<u8> = (0..n * k.div_ceil(group.inputs())).map(|i| (i % 15 + 1) as u8).collect();
            let mut nibbles = vec![99; layout::packed_len_int4(n, k, group, layout).unwrap()];
            let mut groups = vec![99; layout::group_count(n, k, group, layout).unwrap()];
            layout::pack_int4(&q, n, k, group, layout, &mut nibbles).unwrap();
            layout::pack_groups(&s, n, k, group, layout, &mut groups).unwrap();
            assert!(groups.iter().all(|s| (1..=15).contains(s)));
            let (mut q_back, mut s_back) = (vec![0; q.len()], vec![0; s.len()]);
            layout::unpack_int4(&nibbles, n, k, group, layout, &mut q_back).unwrap();
            layout::unpack_groups(&groups, n, k, group, layout, &mut s_back).unwrap();
            assert_eq!((q_back, s_back), (q, s));
        }
    }
    let byte = |channel, input, layout| layout::offset_int4(channel, input, 96, Group::Of32, layout);
    assert_eq!(byte(1, 33, Layout::RowMajor), (48 + 16 + 1, false));
    assert_eq!(byte(1, 49, Layout::RowMajor), (48 + 16 + 1, true));
    assert_eq!(byte(17, 6, Layout::Tile16), (768 + 4 + 2, true));
    assert_eq!(byte(5, 37, Layout::Tile4), (3 * 64 + 64 + 16 + 5, false));
    assert_eq!(layout::group_offset(17, 40, 96, Group::Of32, Layout::Tile8), 48 + 16 + 1);
}

#[test]
fn packing_and_unpacking_give_back_3_bits() {
    for layout in Layout::ALL {
        for (n, k) in INPUTS[..14].iter().flat_map(|&k| CHANNELS.map(|n| (n, k))) {
            let q: Vec<i8> = painted_bytes(n * k, 1).iter().map(|q| q >> 4 | 1).collect();
            let len = layout::packed_len_int3(n, k, layout).unwrap();
            assert_eq!(Some(len * 4), layout::packed_len_int4(n, k, Group::Of32, layout).map(|len| len * 3));
            let mut packed = vec![99; len];
            layout::pack_int3(&q, n, k, layout, &mut packed).unwrap();
            let mut back = vec![0; q.len()];
            layout::unpack_int3(&packed, n, k, layout, &mut back).unwrap();
            assert_eq!(back, q);
        }
    }
    // Input 5 of channel 0 is byte 5 of a piece of a row; 13 is byte 13, in the last quarter.
    let row = |input: usize| {
        let mut q = [-7; 32];
        q[input] = 7;
        let (mut all, mut other) = ([0; 12], [0; 12]);
        layout::pack_int3(&[-7; 32], 1, 32, Layout::RowMajor, &mut all).unwrap();
        layout::pack_int3(&q, 1, 32, Layout::RowMajor, &mut other).unwrap();
        let changed = |(at, (a, b)): (usize, (&u8, &u8))| if a == b { None } else { Some((at, a ^ b)) };
        all.iter().zip(&other).enumerate().filter_map(changed).collect::<Vec<_>>()
    };
    // -7 is 100, 7 is 011: every bit is another one.
    assert_eq!(row(5), [(5, 0x0e)]);
    assert_eq!(row(21), [(5, 0xe0)]);
    assert_eq!(row(13), [(1, 0x01), (5, 0x01), (9, 0x01)]);
    assert_eq!(row(29), [(1, 0x10), (5, 0x10), (9, 0x10)]);
    assert!(layout::pack_int3(&[1; 32], 1, 32, Layout::RowMajor, &mut [0; 13]).is_err());
}

#[test]
fn the_tile_is_where_the_table_says() {
    assert_eq!(layout::packed_len_int8(17, 5, Layout::Tile16), Some(32 * 8));
    assert_eq!(layout::packed_len_f32(17, 5, Layout::Tile16), Some(32 * 5));
    assert_eq!(layout::offset_int8(17, 6, 7, Layout::Tile16), 2 * 64 + 64 + 4 + 2);
    assert_eq!(layout::offset_int8(17, 9, 17, Layout::Tile8), 6 * 64 + 64 + 8 + 1);
    assert_eq!(layout::offset_int8(17, 17, 18, Layout::Tile4), 8 * 64 + 64 + 16 + 1);
    assert_eq!(layout::offset_f32(17, 6, 7, Layout::Tile16), 7 * 16 + 6 * 16 + 1);
    assert_eq!(layout::offset_int8(17, 6, 7, Layout::RowMajor), 17 * 7 + 6);
    assert_eq!(layout::packed_len_int8(usize::MAX, 2, Layout::Tile16), None);
    assert!(layout::pack_int8(&[1; 5], 2, 3, Layout::RowMajor, &mut [0; 6]).is_err());
    assert!(layout::pack_f32(&[1.0; 6], 2, 3, Layout::Tile16, &mut [0.0; 6]).is_err());
}

#[test]
fn bytes_are_views_of_numbers() {
    let floats = [1.5_f32, -2.0];
    let bytes = cast::bytes_of(&floats);
    assert_eq!(bytes, [0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0]);
    assert_eq!(cast::f32s(bytes), Some(&floats[..]));
    assert_eq!(cast::f32s(&bytes[..7]), None, "not a whole number of floats");
    assert_eq!(cast::f32s(&bytes[1..5]), None, "not aligned");
    assert_eq!(cast::u16s(&bytes[2..]), Some(&[0x3fc0, 0, 0xc000][..]));
    assert_eq!(cast::u16s(&bytes[1..3]), None);
    assert_eq!(cast::i8s(&bytes[2..4]), [-64, 63]);
    assert_eq!(cast::bytes_of(&[RowScale { scale: 1.0, sum: -1 }]), [0, 0, 0x80, 0x3f, 255, 255, 255, 255]);
}

#[test]
fn an_arena_is_carved_into_aligned_pieces() {
    #[repr(align(64))]
    struct Aligned([u8; 512]);
    let mut aligned = Aligned([0; 512]);
    let arena = &mut aligned.0[..];
    let (floats, arena) = cast::carve::<f32>(arena, 3).unwrap();
    let (bytes, arena) = cast::carve::<i8>(arena, 65).unwrap();
    let (scales, arena) = cast::carve::<RowScale>(arena, 8).unwrap();
    for address in [floats.as_ptr() as usize, bytes.as_ptr() as usize, scales.as_ptr() as usize] {
        assert_eq!(address % cast::ALIGNMENT, 0);
    }
    floats.fill(1.0);
    bytes.fill(-1);
    scales.fill(RowScale { scale: 2.0, sum: 3 });
    assert_eq!((floats[2], bytes[64], scales[7].sum), (1.0, -1, 3));
    assert_eq!(arena.len(), 512 - 64 - 128 - 64);
    assert!(cast::carve::<u32>(arena, 64).is_some());
    assert!(cast::carve_shared::<u32>(arena, 64).is_some());
    assert!(cast::carve_shared::<u32>(arena, 65).is_none());
    assert!(cast::carve_shared::<u32>(arena, usize::MAX).is_none());
    assert!(cast::carve::<u32>(arena, 65).is_none());
    assert!(cast::carve::<u32>(arena, usize::MAX).is_none());
    assert_eq!(cast::carved_len::<RowScale>(9), Some(128));
    assert_eq!(cast::carved_len::<f32>(usize::MAX), None);

    let (floats, rest) = cast::carve_shared::<f32>(&aligned.0, 3).unwrap();
    let (bytes, rest) = cast::carve_shared::<i8>(rest, 65).unwrap();
    let (scales, _) = cast::carve_shared::<RowScale>(rest, 8).unwrap();
    assert_eq!((floats[2], bytes[64], scales[7].sum), (1.0, -1, 3), "what was written through carve");

    let (one, rest) = cast::carve::<u16>(&mut aligned.0[1..], 1).unwrap();
    assert_eq!((one.len(), rest.len()), (1, 512 - 64 - 2));
}
