"""Templates made up from a grammar. Expressions have a type, so that most of them run; now and then one has another."""

TEXTS = ["''", "'a'", "'ab c'", "'é日😀'", "\"q'\"", "'\\n'", "'12'", "name", "empty", "unicode", "lines", "html", "words[1]", "users[0].name", "d['items']", "messages[1].content"]
NUMBERS = ["0", "1", "2", "-1", "3.5", "7", "n", "x", "true", "users[1]['age']", "d.b", "0.1"]
LISTS = ["[]", "[1, 2, 3]", "items", "words", "nested", "users", "(1, 'z')", "range(4)", "['b', 'a']", "messages", "d.C"]
DICTS = ["{}", "{'a': 1, 'b': 'x'}", "d", "users[0]", "messages[0]", "deep"]
OTHERS = ["none", "missing", "a", "b", "nothing", "d.zz", "yes", "no"]
STRAY = ["ns", "loop", "m", "caller", "varargs", "namespace(a=1)", "d.items()", "items|map('string')|list", "'<'|safe", "users|groupby('age')"]
GAPS = ["", " ", "text", "\n", "  \n", "é", "{ ", "}", "\n\n  ", "#", "<|x|>", "\t"]


class Maker:
    def __init__(self, chance):
        self.chance, self.loops = chance, 0

    def one(self, *choices):
        return self.chance.choice(choices)

    def expression(self, depth=3, kind=None):
        chance = self.chance
        if chance.random() < 0.01:
            return chance.choice(STRAY)
        kind = kind if kind and chance.random() < 0.99 else self.one("text", "text", "number", "list", "dict", "other", "truth")
        if chance.random() < 0.08 and depth > 0:
            return f"{self.operand(depth, kind)} if {self.operand(depth, 'truth')}{self.one(' else ' + self.operand(depth, kind), '')}"
        return getattr(self, kind)(depth)

    def operand(self, depth, kind=None):
        made = self.expression(depth - 1, kind)
        return made if made.replace("_", "").isalnum() else f"({made})"

    def text(self, depth):
        chance, text = self.chance, lambda: self.operand(depth, "text")
        if depth <= 0 or chance.random() < 0.25:
            return chance.choice(TEXTS)
        return self.one(lambda: f"{text()}|{self.one('upper', 'lower', 'trim', 'title', 'capitalize', 'e', 'string', 'reverse', 'urlencode', 'center(9)')}",
                        lambda: f"{text()}|{self.one('replace', 'truncate(9)|replace')}({text()}, {text()})",
                        lambda: f"{text()}.{self.one('upper()', 'strip()', 'title()', 'swapcase()', 'lstrip()', 'zfill(4)', 'rjust(6)', 'capitalize()')}",
                        lambda: f"{text()}.{self.one('strip', 'rstrip', 'removeprefix', 'removesuffix')}({text()})",
                        lambda: f"{text()}.replace({text()}, {text()})", lambda: f"{text()} + {text()}", lambda: f"{text()} ~ {self.operand(depth)}",
                        lambda: f"{text()}[{self.one('1:', ':2', '::-1', '-2:', '1:-1', '::2', '0', '-1')}]", lambda: f"{text()} * {self.one('2', '0', '3')}",
                        lambda: f"{self.operand(depth, 'list')}|join({text()})", lambda: f"{self.operand(depth)}|tojson{self.one('', '(indent=2)')}",
                        lambda: f"{text()}|indent({self.one('2', 'first=true', 'blank=true')})", lambda: f"'%s-%s'|format({text()}, {self.operand(depth)})",
                        lambda: f"{text()}.split({text()})[0]", lambda: f"{text()}.join(words)", lambda: f"{self.operand(depth)}|default({text()}, true)")()

    def number(self, depth):
        chance, number = self.chance, lambda: self.operand(depth, "number")
        if depth <= 0 or chance.random() < 0.3:
            return chance.choice(NUMBERS)
        return self.one(lambda: f"{number()} {self.one('+', '-', '*')} {number()}", lambda: f"{number()} {self.one('/', '//', '%')} {self.one('2', '-3', '1.5', number())}",
                        lambda: f"{self.operand(depth, self.one('text', 'list', 'dict'))}|length", lambda: f"-{number()}", lambda: f"{number()}|{self.one('abs', 'int', 'float', 'round', 'round(1)')}",
                        lambda: f"{self.operand(depth, 'text')}.{self.one('find', 'count', 'rfind')}({self.operand(depth, 'text')})", lambda: f"{self.operand(depth, 'text')}|{self.one('int', 'float', 'wordcount')}",
                        lambda: f"items|{self.one('sum', 'min', 'max', 'first', 'last')}", lambda: f"words.index({self.one('words[2]', repr('Apple'))})")()

    def list(self, depth):
        chance, items = self.chance, lambda: self.operand(depth, "list")
        if depth <= 0 or chance.random() < 0.3:
            return chance.choice(LISTS)
        return self.one(lambda: f"[{self.expression(depth - 1)}, {self.expression(depth - 1)}]", lambda: f"({self.expression(depth - 1)}, {self.operand(depth)})",
                        lambda: f"{items()}[{self.one('1:', ':2', '::-1', '-1:')}]", lambda: f"{items()}|{self.one('list', 'reverse|list', 'batch(2)|list', 'slice(2)|list')}",
                        lambda: f"{items()}|{self.one('map', 'map')}('{self.one('string', 'tojson', 'default')}')|list", lambda: f"{items()}|{self.one('select', 'reject')}('{self.one('string', 'defined', 'mapping', 'none')}')|list",
                        lambda: f"users|{self.one('map(attribute=' + repr('name') + ')', 'selectattr(' + repr('on') + ')', 'rejectattr(' + repr('on') + ')', 'selectattr(' + repr('age') + ', ' + repr('gt') + ', 26)')}|list",
                        lambda: f"{self.operand(depth, 'text')}.{self.one('split()', 'splitlines()', 'partition(' + repr('a') + ')')}", lambda: f"{self.operand(depth, 'dict')}|{self.one('list', 'items|list', 'dictsort')}",
                        lambda: f"{self.one('words', 'items')}|{self.one('sort', 'unique|list', 'sort(reverse=true)')}", lambda: f"range({self.one('3', '1, 4', '5, 0, -2')})")()

    def dict(self, depth):
        if depth <= 0 or self.chance.random() < 0.4:
            return self.chance.choice(DICTS)
        return self.one(lambda: f"{{'k': {self.expression(depth - 1)}, {self.operand(depth, self.one('text', 'number'))}: {self.expression(depth - 1)}}}",
                        lambda: f"dict({self.operand(depth, 'dict')}, z={self.expression(depth - 1)})", lambda: f"dict(a={self.expression(depth - 1)})", lambda: f"{self.operand(depth, 'dict')}.copy()")()

    def truth(self, depth):
        chance = self.chance
        if depth <= 0:
            return self.one("yes", "no", "true", "n > 2", "missing is defined")
        kind = self.one("text", "number")
        return self.one(lambda: f"{self.operand(depth, kind)} {self.one('<', '<=', '==', '!=', '>', '>=')} {self.operand(depth, kind)}", lambda: f"{self.operand(depth)} {self.one('==', '!=')} {self.operand(depth)}",
                        lambda: f"{self.operand(depth)} {self.one('in', 'not in')} {self.operand(depth, 'list')}", lambda: f"{self.operand(depth, 'text')} in {self.operand(depth, self.one('text', 'dict'))}",
                        lambda: f"{self.operand(depth)} is {self.one('', 'not ')}{chance.choice(['defined', 'none', 'string', 'number', 'mapping', 'sequence', 'iterable', 'boolean', 'eq 1', 'true', 'undefined'])}",
                        lambda: f"{self.operand(depth, 'number')} is {self.one('odd', 'even', 'divisibleby(3)', 'in [1, 2]', 'gt 1')}", lambda: f"not {self.operand(depth)}",
                        lambda: f"{self.operand(depth, 'text')}.{self.one('startswith', 'endswith')}({self.operand(depth, 'text')})", lambda: f"{self.operand(depth)} {self.one('and', 'or')} {self.operand(depth)}",
                        lambda: f"{self.operand(depth, 'text')}.{self.one('isdigit', 'isalpha', 'isupper', 'istitle')}()")()

    def other(self, depth):
        if self.loops and self.chance.random() < 0.5:
            return "loop." + self.one("index", "index0", "last", "first", "length", "revindex", "previtem", "nextitem", "cycle(1, 2)", "changed(a)")
        return self.one(*OTHERS) if depth <= 0 else self.one(lambda: self.one(*OTHERS), lambda: f"m({self.expression(depth - 1)})", lambda: f"m(p={self.expression(depth - 1)})", lambda: "ns.a",
                                                             lambda: f"{self.operand(depth, 'dict')}.{self.one('a', 'name', 'get(' + repr('a') + ')', 'get(' + repr('z') + ', 1)')}",
                                                             lambda: f"{self.operand(depth, 'list')}[{self.one('0', '-1', '1')}]", lambda: f"{self.operand(depth)}|default({self.expression(depth - 1)})")()

    def tag(self, body):
        return "{%" + self.one("", "", "-", "+", "-") + " " + body + " " + self.one("", "", "-", "+", "") + "%}"

    def gap(self):
        return self.chance.choice(GAPS)

    def body(self, depth, in_loop):
        return "".join(self.statement(depth, in_loop) for _ in range(self.chance.randint(0, 3)))

    def looped(self, depth):
        self.loops += 1
        made = self.body(depth, True)
        self.loops -= 1
        return made

    def statement(self, depth, in_loop):
        chance = self.chance
        kind = chance.randrange(16 if depth > 0 else 6)
        if kind < 4:
            return self.gap() + "{{" + self.one("", "-", "") + " " + self.expression() + " " + self.one("", "-", "") + "}}" + self.gap()
        if kind == 4:
            return self.tag(self.one(f"set {self.one('a', 'b', 'n', 'ns.a', 'ns.b', 'name')} = {self.expression(2)}", f"set a, b = {self.expression(1)}, {self.expression(1)}"))
        if kind == 5:
            if in_loop and chance.random() < 0.5:
                return self.tag(f"if {self.operand(3, 'truth')}") + self.tag(self.one("break", "continue")) + self.tag("endif")
            return "{#" + self.one("", "-") + " note " + self.one("", "-") + "#}" + self.gap()
        inner = lambda loop=in_loop: self.body(depth - 1, loop)  # noqa: E731
        if kind < 9:
            made = self.tag(f"if {self.operand(3, 'truth')}") + inner()
            if chance.random() < 0.4:
                made += self.tag(f"elif {self.operand(3, 'truth')}") + inner()
            return made + (self.tag("else") + inner() if chance.random() < 0.5 else "") + self.tag("endif")
        if kind < 12:
            test = f" if {self.operand(3, 'truth')}" if chance.random() < 0.25 else ""
            target, over = self.one(("a", self.operand(3, "list")), ("b", self.operand(3, "list")), ("item", self.operand(2, "text")), ("a, b", "d.items()"), ("k, v", "d|dictsort"),
                                    ("n", self.operand(3, "dict")))
            made = self.tag(f"for {target} in {over}{test}") + self.looped(depth - 1)
            return made + (self.tag("else") + inner() if chance.random() < 0.3 else "") + self.tag("endfor")
        if kind == 12:
            return self.tag(f"set {self.one('a', 'b', 'n')}" + self.one("", "|upper", "|trim|length")) + inner() + self.tag("endset")
        if kind == 13:
            return self.tag(f"macro {self.one('m', 'm', 'k')}(p={self.expression(1)})") + inner(False) + self.one("", "{{ p }}", "{{ caller() if caller }}", "{{ kwargs }}", "{{ varargs }}") + self.tag("endmacro")
        if kind == 14:
            return self.tag(f"with a = {self.expression(1)}") + inner() + self.tag("endwith")
        return self.one(lambda: self.tag(f"filter {self.one('upper', 'trim', 'replace(1, 2)|lower', 'indent')}") + inner() + self.tag("endfilter"),
                        lambda: self.tag(f"call c({self.expression(1)})") + inner(False) + self.tag("endcall"),
                        lambda: self.tag("generation") + inner(False) + self.tag("endgeneration"))()

    def template(self):
        head = "{% set ns = namespace(a=1, b='s') %}{% macro m(p=1) %}<{{ p }}>{% endmacro %}{% macro c(p) %}[{{ p }}{{ caller() }}]{% endmacro %}"
        return head + "".join(self.statement(2, False) for _ in range(self.chance.randint(1, 3))) + self.gap()


def templates(chance, count):
    return [Maker(chance).template() for _ in range(count)]
