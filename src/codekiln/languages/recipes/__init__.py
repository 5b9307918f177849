"""How programs of a language are built and run: one data file per language, read and checked.

    like           the language whose recipe holds where this one says nothing: it is compiled to it
    needs          what has to be installed, for people
    tools          commands that must be on the path, each with the arguments that tell its version,
                   where it tells one
    install        packages by source: debian, npm, pypi
    files          what the first step gets: texts by name, with placeholders
    compile        the command of the first step; none where nothing is compiled
    products       files that it leaves and the run gets
    run_files      what the run gets besides; without a first step it gets `files`
    warm           the command of a step that no answer changes; what it leaves is kept in @WARM@,
                   which later steps may read
    warm_products  the files that it leaves; warm_files: what it gets, as `files`
    run            the command that runs the driver; none where answers are only compiled
    call           how the driver calls a function of the answer; one per function and arity, where
                   the driver does not find functions by their name
    memory_mib     what a program may use; processes: how many processes and threads
    load_s         seconds of processor time before the first call
    syntax_error   of the compiler's first error: this is no program at all (a pattern)
    alike          what the language cannot tell apart, in the words below
    prints         a result is what a function prints, where it gives nothing or only its success
    failure        false is how a function fails, too
    dialect        the language has others than what is here, which then is asked for what examples
                   need alone: its refusal of other code says nothing
    exit_raises    how a function fails is that the process ends with another status than 0
    host           a command that prints a folder of this machine, shown to programs as @HOST@
    unit           a pattern whose group 1 is the name of the answer's file, for @UNIT@ [Answer]
    whole          a pattern that whole units match; other code gets `wrap` around it, but for lines
                   that match `hoist`, which come first
    drop           a pattern of lines that are left out of answers: imports of what may not be here
    folder         the name of codekiln's own toolchain, shown to programs as @FOLDER@

Words of `alike`:

    keys       keys of maps are texts
    bits       truth values are 0 and 1
    texts      numbers and truth values may be texts: 5 is "5", true is "true" or "1"
    lines      lists and maps may be texts: an item is a line or a word, a pair `key value`,
               `key=value` or `key: value`; or as JSON writes them
    json       lists and maps may be texts, as JSON writes them
    vectors    one value is a list of one
    flat       a function's result is a list: one value alone is a list of one
    values     a function gives several values, of which a caller may take the first alone
    found      of two values of a function, the second may say whether there is a first one
    pairs      a map is a list of pairs, or of keys and values in turn
    names      items of a list may have names, as in a map
    indices    a list is a map of its positions, counted from 0 or 1
    codes      a text is a list of the codes of its characters, one character its code
    letters    a text is a list of its characters
    ONE=OTHER  of null, true, false, text, list and map: the empty ones are the same

A driver of a language where all values are texts (`texts` and `lines`) gives a function its
arguments as texts too: true or false, nothing as an empty one, a list's items separated by blanks,
or a line each where one holds a blank or is a list itself, and a map a line `key=value` a pair;
or as the language's own lists and maps, where it has any.

Placeholders: @CODE@ the answer; @UNIT@ its name; @CALLS@ the calls, made of `call` with @NAME@ and
@ARITY@, a line each; @FOLDER@, @HOST@ and @WARM@.

A driver reads two lines from its input, a token and the number of the first case, and the cases
from cases.txt: a line `c NAME COUNT`, then the arguments as codekiln.verify.programs.wire writes
them. For each case from the first one on it prints, each on a line of its own, `TOKEN begin
NUMBER`, calls, then prints `TOKEN value` and the value's lines, or `TOKEN raised HEX HEX`, the
error's name and message, and at last `TOKEN end`. What the answer prints stands in between. An
answer that does not load is `TOKEN syntax HEX HEX`, `TOKEN load HEX HEX` where it fails as it runs,
or `TOKEN compile HEX HEX` where names or types are wrong. The driver keeps what it writes with
before the answer is loaded, and knows no expected values. Where there is one kind of number, whole
ones go as `i`; a function is also found by its name with - for _ in Lisps, in a class, module or
package of the answer, and without being exported.
"""

from codekiln.languages.recipes.reading import (
    Recipe,
    compiled_languages,
    recipe_languages,
    recipe_of,
)

__all__ = ["Recipe", "compiled_languages", "recipe_languages", "recipe_of"]
