//! ELF object files with one section of data and one symbol, for 32-bit ARM, AArch64 and x86-64, as *System V Application
//! Binary Interface* (chapters 4 and 5) and *ELF for the Arm Architecture* describe them.

/// A machine to link for; all little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// 32-bit ARM: Cortex-M, and Cortex-A in 32-bit mode.
    Arm,
    /// 64-bit ARM.
    Aarch64,
    /// 64-bit x86.
    X86_64,
}

impl Target {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm => "arm",
            Self::Aarch64 => "aarch64",
            Self::X86_64 => "x86-64",
        }
    }

    fn wide(self) -> bool {
        self != Self::Arm
    }

    fn machine(self) -> u16 {
        match self {
            Self::Arm => 40,
            Self::Aarch64 => 183,
            Self::X86_64 => 62,
        }
    }

    /// Version 5 of the ABI on ARM, which linkers ask of everything they link.
    fn flags(self) -> u32 {
        if self == Self::Arm { 0x0500_0000 } else { 0 }
    }
}

/// What stands before and after the data in an object file.
pub(super) struct Object {
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
}

/// Where the data begin: after the header of either size, and aligned.
const DATA: u64 = 64;
const PROGBITS: u32 = 1;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const ALLOC: u64 = 2;
/// A symbol that all files see, for data.
const GLOBAL_OBJECT: u8 = 1 << 4 | 1;

struct Section {
    name: String,
    kind: u32,
    flags: u64,
    offset: u64,
    size: u64,
    link: u32,
    info: u32,
    align: u64,
    entry: u64,
}

/// The object file whose section `section` holds `len` bytes, aligned to 64, under the symbol `name`. `None`: more than a
/// file of this target can hold.
pub(super) fn object(target: Target, section: &str, name: &str, len: u64) -> Option<Object> {
    let wide = target.wide();
    let symbols_at = (DATA + len).next_multiple_of(8);
    let mut after = vec![0; (symbols_at - DATA - len) as usize];
    let start = after.len();

    let symbols = symbol_table(wide, len);
    after.extend(&symbols);
    let strings_at = symbols_at + symbols.len() as u64;
    let strings = format!("\0{name}\0");
    after.extend(strings.as_bytes());

    let mut sections = vec![
        section_of(section, PROGBITS, ALLOC, (DATA, len), 64),
        Section {
            // The names are section 3; symbol 0 is the only one that other files do not see.
            link: 3,
            info: 1,
            entry: if wide { 24 } else { 16 },
            ..section_of(".symtab", SYMTAB, 0, (symbols_at, symbols.len() as u64), 8)
        },
        section_of(".strtab", STRTAB, 0, (strings_at, strings.len() as u64), 1),
        // Without it linkers would make the stack executable.
        section_of(".note.GNU-stack", PROGBITS, 0, (strings_at, 0), 1),
    ];
    let names_at = strings_at + strings.len() as u64;
    sections.push(section_of(".shstrtab", STRTAB, 0, (names_at, 0), 1));
    let mut names = vec![0];
    let mut name_offsets = Vec::new();
    for section in &sections {
        name_offsets.push(names.len() as u32);
        names.extend(section.name.as_bytes());
        names.push(0);
    }
    sections.last_mut()?.size = names.len() as u64;
    after.extend(&names);
    while !(after.len() - start).is_multiple_of(8) {
        after.push(0);
    }
    let table_at = symbols_at + (after.len() - start) as u64;
    let table_len = (sections.len() as u64 + 1) * if wide { 64 } else { 40 };
    if !wide && table_at + table_len > u64::from(u32::MAX) {
        return None;
    }
    let mut table = Writer::new(wide);
    // Section 0 is none.
    table.0.resize(if wide { 64 } else { 40 }, 0);
    for (section, name) in sections.iter().zip(name_offsets) {
        table.half(name).half(section.kind).word(section.flags).word(0).word(section.offset).word(section.size);
        table.half(section.link).half(section.info).word(section.align).word(section.entry);
    }
    after.extend(table.0);
    Some(Object { before: header(target, table_at, sections.len() as u16 + 1), after })
}

fn section_of(name: &str, kind: u32, flags: u64, (offset, size): (u64, u64), align: u64) -> Section {
    Section { name: name.to_owned(), kind, flags, offset, size, link: 0, info: 0, align, entry: 0 }
}

/// The empty symbol, and the data's: section 1 from its start.
fn symbol_table(wide: bool, len: u64) -> Vec<u8> {
    let mut table = Writer::new(wide);
    table.0.resize(if wide { 24 } else { 16 }, 0);
    table.half(1);
    if wide {
        table.bytes(&[GLOBAL_OBJECT, 0, 1, 0]).word(0).word(len);
    } else {
        table.word(0).word(len).bytes(&[GLOBAL_OBJECT, 0, 1, 0]);
    }
    table.0
}

fn header(target: Target, table_at: u64, sections: u16) -> Vec<u8> {
    let wide = target.wide();
    let short = u16::to_le_bytes;
    let mut header = Writer::new(wide);
    header.bytes(b"\x7fELF").bytes(&[if wide { 2 } else { 1 }, 1, 1, 0]).bytes(&[0; 8]);
    // Relocatable, version 1, no entry point, no program header.
    header.bytes(&short(1)).bytes(&short(target.machine())).half(1).word(0).word(0).word(table_at).half(target.flags());
    let (header_len, section_len) = if wide { (64, 64) } else { (52, 40) };
    for value in [header_len, 0, 0, section_len, sections, sections - 1] {
        header.bytes(&short(value));
    }
    header.0.resize(DATA as usize, 0);
    header.0
}

/// Little-endian numbers; a word has 64 bits in wide files, 32 in others.
struct Writer(Vec<u8>, bool);

impl Writer {
    fn new(wide: bool) -> Self {
        Self(Vec::new(), wide)
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    fn half(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn word(&mut self, value: u64) -> &mut Self {
        // In 32-bit files the caller has seen that everything fits.
        if self.1 { self.bytes(&value.to_le_bytes()) } else { self.half(value as u32) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_too_large_for_32_bits_is_none() {
        assert!(object(Target::Arm, ".rodata", "model", u64::from(u32::MAX) - 100).is_none());
        assert!(object(Target::Arm, ".rodata", "model", 1 << 31).is_some());
    }

    #[test]
    fn sizes_of_the_structures() {
        for (target, symbols) in [(Target::Arm, 32), (Target::Aarch64, 48), (Target::X86_64, 48)] {
            assert_eq!(symbol_table(target.wide(), 5).len(), symbols);
            assert_eq!(header(target, 0, 6).len(), 64);
        }
    }
}
