pub(crate) fn operations(_isa: crate::Isa) -> Option<&'static crate::operations::Operations> {
    None
}
