//! Image layout and the builder of the development image.
