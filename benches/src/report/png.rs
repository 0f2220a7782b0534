//! Pictures as pixels, for where an SVG can't be shown: slides, chats, issue trackers.

use epaint_default_fonts::UBUNTU_LIGHT;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use std::sync::Arc;

/// Twice the size of the SVG, so that the lines are sharp on dense screens too.
const SCALE: f32 = 2.0;

/// Turns SVG pictures into PNG files, with a font of its own: the same pixels on every machine.
pub(super) struct Renderer(Options<'static>);

impl Renderer {
    pub(super) fn new() -> Self {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(UBUNTU_LIGHT.to_vec());
        let family = fonts.faces().next().and_then(|face| face.families.first()).map(|(name, _)| name.clone());
        // What an SVG asks for, `sans-serif`, is this font.
        fonts.set_sans_serif_family(family.unwrap_or_default());
        Self(Options { fontdb: Arc::new(fonts), ..Options::default() })
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    /// If the text is no SVG, or a picture of its size does not fit into memory.
    pub(super) fn render(&self, svg: &str) -> Result<Vec<u8>, String> {
        let tree = Tree::from_str(svg, &self.0).map_err(|error| error.to_string())?;
        let size = tree.size().to_int_size().scale_by(SCALE).ok_or("an empty picture")?;
        let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("no memory for the picture")?;
        resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
        pixels.encode_png().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Renderer;
    use resvg::tiny_skia::Pixmap;

    #[test]
    fn a_picture_has_its_lines_and_its_text() {
        let svg = |inside: &str| {
            format!(
                "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20'><rect width='40' height='20' fill='white'/>{inside}</svg>"
            )
        };
        let dark = |inside: &str| {
            let png = Renderer::new().render(&svg(inside)).unwrap();
            let pixels = Pixmap::decode_png(&png).unwrap();
            assert_eq!((pixels.width(), pixels.height()), (80, 40));
            pixels.pixels().iter().filter(|pixel| pixel.red() < 128).count()
        };
        assert_eq!(dark(""), 0);
        assert_eq!(dark("<rect x='1' y='1' width='10' height='10'/>"), 400);
        assert!(dark("<text x='2' y='15' font-family='sans-serif' font-size='14'>nr µ×</text>") > 50);
        assert!(Renderer::new().render("no picture").is_err());
    }
}
