//! Fixed-size little-endian records: one declaration gives the struct, its size check, its decoder and its encoder.

/// A field of a record.
pub(crate) trait Field: Sized {
    /// Reads the field at byte `at`. Past the end, which a record's size check rules out, bytes count as zero.
    fn load(bytes: &[u8], at: usize) -> Self;
    /// Writes the field at byte `at`.
    #[cfg(feature = "alloc")]
    fn store(&self, bytes: &mut [u8], at: usize);
}

impl<const N: usize> Field for [u8; N] {
    #[inline]
    fn load(bytes: &[u8], at: usize) -> Self {
        match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(chunk) => *chunk,
            None => [0; N],
        }
    }

    #[cfg(feature = "alloc")]
    fn store(&self, bytes: &mut [u8], at: usize) {
        if let Some(chunk) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
            *chunk = *self;
        }
    }
}

macro_rules! number_field {
    ($($number:ty),*) => {$(
        impl Field for $number {
            #[inline]
            fn load(bytes: &[u8], at: usize) -> Self {
                <$number>::from_le_bytes(Field::load(bytes, at))
            }

            #[cfg(feature = "alloc")]
            fn store(&self, bytes: &mut [u8], at: usize) {
                self.to_le_bytes().store(bytes, at);
            }
        }
    )*};
}
number_field!(u8, u16, u32, u64, f32);

/// Declares an on-disk record of a stated size. Fields are in file order; the size check proves that `repr(C)` put no gap between them.
macro_rules! record {
    ($(#[$meta:meta])* struct $name:ident = $len:literal { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(crate) struct $name { $($(#[$field_meta])* pub(crate) $field: $kind,)* }

        const _: () = assert!(size_of::<$name>() == $len);
        const _: () = assert!(0 $(+ size_of::<$kind>())* == $len);

        impl $name {
            /// Bytes of the record in a file.
            pub(crate) const LEN: usize = $len;

            /// Reads the record.
            pub(crate) fn decode(bytes: &[u8; $len]) -> Self {
                Self { $($field: $crate::record::Field::load(bytes, core::mem::offset_of!(Self, $field)),)* }
            }

            /// The record's bytes.
            #[cfg(feature = "alloc")]
            pub(crate) fn encode(&self) -> [u8; $len] {
                let mut bytes = [0; $len];
                $($crate::record::Field::store(&self.$field, &mut bytes, core::mem::offset_of!(Self, $field));)*
                bytes
            }
        }
    };
}
pub(crate) use record;
