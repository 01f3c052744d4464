//! A panic's message in the console. A panic is a bug and traps the instance, which cannot be used again.

use std::panic::{PanicHookInfo, set_hook};

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn error(message: &str);
}

/// Runs when the module is instantiated.
#[wasm_bindgen(start)]
fn install() {
    set_hook(Box::new(report));
}

/// A message that was put together at run time can hold a piece of the note (`str`'s own panics quote the string
/// that was cut): only its place is shown. Fixed messages are shown with the stack.
fn report(info: &PanicHookInfo<'_>) {
    if info.payload().is::<&'static str>() {
        return console_error_panic_hook::hook(info);
    }
    let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    error(&format!("bert-xml panicked{place}; the message is withheld: it could quote the note"));
}
