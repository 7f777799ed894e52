//! One connection, for one statement: the whole answer, an answer in chunks, or an insert in chunks.

use std::ffi::{CStr, CString, c_char};
use std::sync::Arc;

use thiserror::Error;

use super::library::{Analysis, ConnectionBox, ConnectionPointer, InsertPointer, Library, ResultPointer};

/// A statement and what goes with it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Statement<'a> {
    /// The text; an `INSERT`'s data may follow it.
    pub text: &'a [u8],
    /// Format of the answer where the text names none.
    pub format: &'a str,
    /// Values of `{name:Type}` in the text.
    pub parameters: &'a [(String, String)],
}

/// What a statement did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Statistics {
    /// Rows read from storage.
    pub rows_read: u64,
    /// Bytes read from storage.
    pub bytes_read: u64,
    /// Rows written.
    pub rows_written: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Rows of the answer.
    pub rows_answered: u64,
    /// Seconds.
    pub elapsed_s: f64,
}

impl Statistics {
    /// Adds another part of the same answer.
    pub fn add(&mut self, other: &Statistics) {
        self.rows_read = self.rows_read.max(other.rows_read);
        self.bytes_read = self.bytes_read.max(other.bytes_read);
        self.rows_written = self.rows_written.max(other.rows_written);
        self.bytes_written = self.bytes_written.max(other.bytes_written);
        self.rows_answered += other.rows_answered;
        self.elapsed_s = self.elapsed_s.max(other.elapsed_s);
    }
}

/// Why a statement failed: ClickHouse's text and its code.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{text}")]
pub struct StatementError {
    /// ClickHouse's error code; 0 where the text names none.
    pub code: i32,
    /// The text, as ClickHouse gives it.
    pub text: String,
}

impl StatementError {
    /// From the text of an exception (`Code: 62. DB::Exception: …`).
    pub fn from_text(text: impl Into<String>) -> Self {
        let text = text.into();
        let code = exception_code(&text).unwrap_or(0);
        StatementError { code, text }
    }
}

/// The code in ClickHouse's text of an exception.
pub(crate) fn exception_code(text: &str) -> Option<i32> {
    let rest = text.get(text.find("Code: ")? + "Code: ".len()..)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..digits)?.parse().ok()
}

/// A whole answer: bytes that belong to the engine until it is dropped.
pub struct Answer {
    library: Arc<Library>,
    result: ResultPointer,
}

/// A part of an answer.
pub type Chunk = Answer;

// SAFETY: a result is plain data behind a pointer that only this value holds.
unsafe impl Send for Answer {}
// SAFETY: shared use only reads the buffer, which does not change.
unsafe impl Sync for Answer {}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({} bytes)", self.as_ref().len())
    }
}

impl Answer {
    /// What the statement did.
    pub fn statistics(&self) -> Statistics {
        let f = &self.library.functions;
        // SAFETY: the result is alive; these read numbers.
        unsafe {
            Statistics {
                rows_read: (f.result_storage_rows_read)(self.result),
                bytes_read: (f.result_storage_bytes_read)(self.result),
                rows_written: (f.result_rows_written)(self.result),
                bytes_written: (f.result_bytes_written)(self.result),
                rows_answered: (f.result_rows_read)(self.result),
                elapsed_s: (f.result_elapsed)(self.result),
            }
        }
    }

    fn error(&self) -> Option<StatementError> {
        // SAFETY: the result is alive; the text, where there is one, ends with NUL.
        let text = unsafe { (self.library.functions.result_error)(self.result) };
        text_of(text).map(StatementError::from_text)
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        let f = &self.library.functions;
        // SAFETY: the buffer has that length and lives as long as the result; see above.
        unsafe {
            let buffer = (f.result_buffer)(self.result);
            if buffer.is_null() {
                &[]
            } else {
                std::slice::from_raw_parts(buffer.cast(), (f.result_length)(self.result))
            }
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: destroyed once, by its only holder.
        unsafe { (self.library.functions.destroy_query_result)(self.result) };
    }
}

/// An open connection.
pub(crate) struct Connection {
    library: Arc<Library>,
    handle: ConnectionBox,
}

// SAFETY: a connection may move between threads; it is not shared (no `Sync`).
unsafe impl Send for Connection {}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    /// Opens one; the error is the engine's text.
    pub(super) fn open(library: &Arc<Library>, arguments: &[CString]) -> Result<Connection, String> {
        let pointers: Vec<*const c_char> = arguments.iter().map(|argument| argument.as_ptr()).collect();
        let count = i32::try_from(pointers.len()).map_err(|_| "too many arguments".to_owned())?;
        // SAFETY: the strings live for the call, which copies them.
        let handle = unsafe { (library.functions.connect)(count, pointers.as_ptr()) };
        // SAFETY: what connect returns, if anything, points to the connection.
        if handle.is_null() || unsafe { (*handle).is_null() } {
            return Err("the engine refused the connection (its reason is on standard error)".to_owned());
        }
        Ok(Connection { library: Arc::clone(library), handle })
    }

    fn pointer(&self) -> ConnectionPointer {
        // SAFETY: checked by `open` to be there; it lives until `drop`.
        unsafe { *self.handle }
    }

    /// Runs a statement and takes its whole answer.
    pub(crate) fn run(&mut self, statement: &Statement<'_>) -> Result<Answer, StatementError> {
        let result = if statement.parameters.is_empty() {
            // SAFETY: both strings live for the call and have the stated lengths.
            unsafe {
                (self.library.functions.query_n)(
                    self.pointer(),
                    statement.text.as_ptr().cast(),
                    statement.text.len(),
                    statement.format.as_ptr().cast(),
                    statement.format.len(),
                )
            }
        } else {
            let parameters = Parameters::of(statement.parameters);
            // SAFETY: as above; the arrays have as many entries as stated.
            unsafe {
                (self.library.functions.query_with_params_n)(
                    self.pointer(),
                    statement.text.as_ptr().cast(),
                    statement.text.len(),
                    statement.format.as_ptr().cast(),
                    statement.format.len(),
                    parameters.names.as_ptr(),
                    parameters.name_lengths.as_ptr(),
                    parameters.values.as_ptr(),
                    parameters.value_lengths.as_ptr(),
                    parameters.names.len(),
                )
            }
        };
        self.answer(result)
    }

    /// Begins a statement whose answer is fetched in chunks.
    pub(crate) fn stream(self, statement: &Statement<'_>) -> Result<Streaming, StatementError> {
        let parameters = Parameters::of(statement.parameters);
        // SAFETY: as in `run`.
        let result = unsafe {
            (self.library.functions.stream_query_with_params_n)(
                self.pointer(),
                statement.text.as_ptr().cast(),
                statement.text.len(),
                statement.format.as_ptr().cast(),
                statement.format.len(),
                parameters.names.as_ptr(),
                parameters.name_lengths.as_ptr(),
                parameters.values.as_ptr(),
                parameters.value_lengths.as_ptr(),
                parameters.names.len(),
            )
        };
        let stream = self.answer(result)?;
        Ok(Streaming { stream, connection: self, done: false })
    }

    /// Begins an insert whose data is appended in chunks. `text` has neither `FORMAT` nor data.
    pub(crate) fn insert(self, text: &str, format: &str) -> Result<Insertion, StatementError> {
        // SAFETY: both strings live for the call.
        let stream = unsafe {
            (self.library.functions.stream_insert_n)(
                self.pointer(),
                text.as_ptr().cast(),
                text.len(),
                format.as_ptr().cast(),
                format.len(),
            )
        };
        let insertion = Insertion { stream, connection: self };
        match insertion.error() {
            Some(error) => Err(error),
            None => Ok(insertion),
        }
    }

    /// What the statement would do to state that outlives it, by the engine's own parser.
    pub(crate) fn classify(&mut self, text: &[u8]) -> Class {
        #[expect(clippy::cast_possible_truncation, reason = "sixteen bytes")]
        let mut analysis = Analysis { struct_size: size_of::<Analysis>() as u32, ..Analysis::default() };
        // SAFETY: the text has that length, the structure states its size.
        let state = unsafe {
            (self.library.functions.classify_query_n)(
                self.pointer(),
                text.as_ptr().cast(),
                text.len(),
                std::ptr::null(),
                0,
                &raw mut analysis,
            )
        };
        match (state, analysis.query_class) {
            (0, 0) => Class::Reads,
            (0, 1) => Class::Changes,
            (0, 2) => Class::ChangesServer,
            (0, 3) => Class::Controls,
            _ => Class::Unknown,
        }
    }

    fn answer(&self, result: ResultPointer) -> Result<Answer, StatementError> {
        if result.is_null() {
            return Err(StatementError { code: 0, text: "the engine gave no result".to_owned() });
        }
        let answer = Answer { library: Arc::clone(&self.library), result };
        match answer.error() {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: closed once, by its only holder, after everything that was made from it.
        unsafe { (self.library.functions.close_conn)(self.handle) };
    }
}

/// What a statement does to state that outlives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Nothing.
    Reads,
    /// Changes a database.
    Changes,
    /// Changes what is beside the databases: functions, users, collections.
    ChangesServer,
    /// `USE`, `SET`, `SYSTEM`, `KILL`, writes outside the engine.
    Controls,
    /// Could not be parsed.
    Unknown,
}

/// An answer that is fetched in chunks; dropping it cancels the statement.
pub(crate) struct Streaming {
    stream: Answer,
    connection: Connection,
    done: bool,
}

impl Streaming {
    /// The next chunk, or none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>, StatementError> {
        if self.done {
            return Ok(None);
        }
        // SAFETY: both are alive, and `&mut self` keeps it to one thread at a time.
        let result = unsafe {
            (self.connection.library.functions.stream_fetch_result)(
                self.connection.pointer(),
                self.stream.result,
            )
        };
        let chunk = self.connection.answer(result).inspect_err(|_| self.done = true)?;
        if chunk.as_ref().is_empty() {
            self.done = true;
            return Ok(None);
        }
        Ok(Some(chunk))
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        if !self.done {
            // SAFETY: both are alive; the stream's result is destroyed after this, before the connection.
            unsafe {
                (self.connection.library.functions.stream_cancel_query)(
                    self.connection.pointer(),
                    self.stream.result,
                );
            }
        }
    }
}

/// An insert that data is appended to; dropping it before `finish` cancels it.
pub(crate) struct Insertion {
    stream: InsertPointer,
    connection: Connection,
}

// SAFETY: as for a connection.
unsafe impl Send for Insertion {}

impl Insertion {
    /// Appends data; waits where the engine is behind.
    pub(crate) fn append(&mut self, data: &[u8]) -> Result<(), StatementError> {
        // SAFETY: the data has that length and is copied by the call.
        let state = unsafe {
            (self.connection.library.functions.stream_append)(self.stream, data.as_ptr().cast(), data.len())
        };
        if state == 0 { Ok(()) } else { Err(self.error().unwrap_or_else(unexplained)) }
    }

    /// Ends the data; returns when the rows are stored.
    pub(crate) fn finish(self) -> Result<Statistics, StatementError> {
        // SAFETY: the stream is alive; the handle itself is freed by `drop`.
        let result = unsafe { (self.connection.library.functions.stream_done)(self.stream) };
        self.connection.answer(result).map(|answer| answer.statistics())
    }

    /// The same, and gives the connection back for further statements.
    pub(crate) fn finish_and_go_on(self) -> Result<Connection, StatementError> {
        // SAFETY: as in `finish`.
        let result = unsafe { (self.connection.library.functions.stream_done)(self.stream) };
        self.connection.answer(result)?;
        let ended = std::mem::ManuallyDrop::new(self);
        // SAFETY: nothing else frees the stream, as `ended` is not dropped; so the connection is read out of it once.
        unsafe {
            (ended.connection.library.functions.destroy_insert_stream)(ended.stream);
            Ok(std::ptr::read(&raw const ended.connection))
        }
    }

    fn error(&self) -> Option<StatementError> {
        // SAFETY: the stream is alive.
        text_of(unsafe { (self.connection.library.functions.stream_insert_error)(self.stream) })
            .map(StatementError::from_text)
    }
}

impl Drop for Insertion {
    fn drop(&mut self) {
        // SAFETY: destroyed once, before its connection.
        unsafe { (self.connection.library.functions.destroy_insert_stream)(self.stream) };
    }
}

fn unexplained() -> StatementError {
    StatementError { code: 0, text: "the engine refused the data without a reason".to_owned() }
}

/// Text at a pointer that may be null.
fn text_of(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the engine's texts end with NUL and live until what they belong to is destroyed.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Parameters as the arrays that the C API wants.
struct Parameters {
    names: Vec<*const c_char>,
    name_lengths: Vec<usize>,
    values: Vec<*const c_char>,
    value_lengths: Vec<usize>,
}

impl Parameters {
    fn of(parameters: &[(String, String)]) -> Parameters {
        Parameters {
            names: parameters.iter().map(|(name, _)| name.as_ptr().cast()).collect(),
            name_lengths: parameters.iter().map(|(name, _)| name.len()).collect(),
            values: parameters.iter().map(|(_, value)| value.as_ptr().cast()).collect(),
            value_lengths: parameters.iter().map(|(_, value)| value.len()).collect(),
        }
    }
}
