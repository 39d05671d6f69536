"""What chat_template_oracle.py asks of both sides: templates in the manner of published models, and small ones for each
filter, test, method and operator."""
import itertools
import os
import random
import re

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chat_templates")

VARIABLES = {
    "n": 7, "x": 2.5, "name": "Ada Lovelace", "empty": "", "yes": True, "no": False, "nothing": None, "items": [3, 1, 2],
    "words": ["banana", "Apple", "cherry", "apple", "Äpfel"], "nested": [[1, 2], [3, [4, 5]]], "unicode": "naïve 日本語 😀 ß",
    "lines": "one\n  two\n\nthree\r\nfour", "html": "<b>\"Tom\" & 'Jerry'</b>",
    "d": {"b": 2, "a": 1, "items": "mine", "C": [1, 2]}, "deep": {"a": {"b": [{"c": "found"}]}},
    "users": [{"name": "Bob", "age": 30, "city": "NY", "on": True}, {"name": "alice", "age": 25, "city": "LA", "on": False},
              {"name": "Carol", "age": 35, "city": "ny"}, {"name": "dave", "age": 25, "city": None, "on": True}],
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Hi "}, {"role": "assistant", "content": "Hello!"}],
}

LITERALS = ["0", "1", "-3", "7", "true", "false", "none", "2.5", "-0.0", "1e20", "1.5e-7", "''", "'a'", "'Hello World'", "'  pad\t'", "'12'",
            "'-4.75'", "'ßÄé日😀'", "'it\\'s \"q\"'", "'a,b,,c'", "'a\\nb\\r\\nc'", "[]", "[1, 2, 3]", "['b', 'A', 'c']", "[1, 'a', none]",
            "[[1, 2], [3, 4]]", "()", "(1,)", "(1, 'x')", "{}", "{'a': 1, 'b': [2]}", "{1: 2, true: 'z', 1.5: none}", "range(3)", "missing",
            "d.items()", "d.keys()", "d.values()", "users", "('<a>'|safe)", "items|map('string')", "namespace(a=1)", "{'a': 1}.get('z')"]

SNIPPETS = r"""
{{ 1_000 + 0x1F + 0b101 + 0o17 }}
{{ 1e3 }} {{ 1.5e3 }} {{ 2E-5 }} {{ 1_0.2_5 }} {{ 00 }} {{ 1.0 }} {{ 100000000000000000.0 }} {{ 1e16 }} {{ 123456789012345678 }}
{{ 0.1 + 0.2 }} {{ 1/3 }} {{ 2**0.5 }} {{ 1e22 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }} {{ 0.0001 }} {{ 0.00001 }}
{{ 'a' 'b' "c" }}
{{ 'tab\tnl\nq\'dq\"b\\x\x41u\u00e9U\U0001F600o\101\0end' }}
{{ 'unknown \d \. \é \日 \😀 escape' }}
{{ "it's" }}{{ 'say "hi"' }}{{ ["it's", 'say "hi"', 'both \' and "'] }}
{{ ['\x00\x1f\x7f\x80\xa0\xad', '\u200b\u2028\ufeff', '\U000e0001é日😀'] }}
{{ [1, 2.0, true, none, 'x', (1,), (1, 2), {}, {'k': [1]}, []] }}
{{ {'a': 1, 'a': 2, 'b': {'c': []}} }}
{{ (1, 2) }} {{ () }} {{ (1) }} {{ 1, 2 }} {{ (1, ) }}
{{ true }} {{ True }} {{ false }} {{ False }} {{ none }} {{ None }}
{{ not true }} {{ not not 1 }} {{ not 0 and 1 }} {{ 1 or 2 }} {{ 0 or '' }} {{ 0 and x }} {{ none or missing or 'z' }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 == true }} {{ 1 != 2 != 1 }} {{ 3 > 2 >= 2 }} {{ 'a' < 'b' in ['b'] }}
{{ 1 in [1] }} {{ 1 not in [1] }} {{ 'a' in 'cab' }} {{ 'x' in d }} {{ 'a' in d }} {{ missing in [1] }} {{ 'x' in missing }}
{{ 2 in (1, 2) }} {{ 2 in range(3) }} {{ 2.0 in range(3) }} {{ 'a' in d.keys() }} {{ 1 in d.values() }} {{ ('a', 1) in d.items() }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 6 / 3 }}
{{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ - 2 }} {{ +2 }} {{ --2 }} {{ -2|abs }} {{ (-2)|abs }} {{ 1 - -1 }} {{ 2 * -3 }}
{{ 1 ~ 2 ~ 'a' ~ none ~ true ~ 1.0 ~ [1] ~ missing }}
{{ 1 + 2 ~ 3 + 4 }} {{ 1 ~ 2 * 3 }} {{ 2 * 3 ~ 1 }}
{{ 'a' + 'b' * 3 }} {{ 3 * 'ab' }} {{ 'a' * -1 }} {{ [1] * 2 }} {{ (1,) * 2 }} {{ [1] + [2] }} {{ (1,) + (2,) }}
{{ [1] + (2,) }}
{{ 'a' + 1 }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ 1.0 / 0 }}
{{ 0 ** -1 }}
{{ (-8) ** 0.5 }}
{{ 10.0 ** 400 }}
{{ true + true }} {{ true * 3 }} {{ -true }} {{ +true }} {{ true / 2 }} {{ true == 1 }} {{ [true] == [1] }} {{ {1: 'a'}[true] }} {{ {1: 'a'}[1.0] }}
{{ 'yes' if n else 'no' }} {{ 'yes' if missing else 'no' }} {{ 'only' if false }} {{ 1 if 0 else 2 if 0 else 3 }} {{ (1 if 1) if 1 }}
{{ name[0] }} {{ name[-1] }} {{ name[99] }} {{ name[0:3] }} {{ name[::-1] }} {{ name[-4:] }} {{ name[:-9] }} {{ name[::2] }} {{ name[10:2:-3] }}
{{ unicode[2] }} {{ unicode[-1] }} {{ unicode[6:9] }} {{ unicode[::-1] }} {{ unicode|length }} {{ unicode[::3] }}
{{ items[0] }} {{ items[-1] }} {{ items[5] }} {{ items[1:] }} {{ items[::-1] }} {{ items[:99] }} {{ items[-99:2] }} {{ items[true] }}
{{ items[none] }}|{{ items['a'] }}|{{ items[1.0] }}|{{ items.0 }}|{{ items.1 }}|{{ nested.1.1.0 }}
{{ range(10)[2:8:2] }} {{ range(10)[-1] }} {{ range(5)[::-1] }} {{ range(10)[3:1] }} {{ range(0, 10, 3)|list }} {{ range(5, 0, -2)|list }} {{ range(3)|length }}
{{ items[::0] }}
{{ d[1:2] }}
{{ n[0] }}|{{ n.foo }}|{{ none.foo }}|{{ true.x }}
{{ d.a }} {{ d['a'] }} {{ d.items }} {{ d['items'] }} {{ d.missing }} {{ d['missing'] }} {{ d.C[1] }}
{{ d.get('a') }} {{ d.get('z') }} {{ d.get('z', 5) }} {{ d.get('z', none) }}
{{ deep.a.b[0].c }} {{ deep['a']['b'][0]['c'] }} {{ deep.a.b.0.c }}
{{ deep.x.y }}
{{ missing }}|{{ missing is defined }}|{{ missing|default('d') }}|{{ d.zz|default('e') }}
{{ missing.attribute }}
{{ missing['item'] }}
{{ missing() }}
{{ missing + 1 }}
{{ missing ~ 1 }} {{ missing == missing }} {{ missing == none }} {{ missing != 1 }} {{ missing or 1 }} {{ not missing }}
{{ missing < 1 }}
{{ -missing }}
{{ missing[1:] }}
{{ d.append }} {{ [].append is defined }} {{ d.update is defined }} {{ d.pop is defined }} {{ [].sort }}
{{ [1].append(2) }}
{{ d.pop('a') }}
{{ d.update({'q': 1}) }}
{{ d.clear() }}
{{ ''.__class__ }}|{{ [].__class__.__mro__ }}
{{ ''.__class__ }}|{{ [].__len__ is defined }}|{{ d.__class__ }}|{{ d._x }}
{{ namespace(_a=1) }}
{% set ns = namespace(a=1, b='x') %}{{ ns.a }}{{ ns.b }}{{ ns.c }}{{ ns['a'] }}{% set ns.a = 5 %}{% set ns.c = 6 %}{{ ns.a }}{{ ns.c }}{{ ns }}
{% set ns = namespace({'q': 2}, z=3) %}{{ ns.q }}{{ ns.z }}
{% set ns = namespace() %}{% set ns._p = 1 %}
{% set d.a = 5 %}{{ d.a }}
{% set ns = namespace(n=0) %}{% for i in items %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}
{% set ns = namespace(a=1) %}{% set ns.a, ns.b = 5, 6 %}{{ ns.a }}{{ ns.b }}
{% set a = 1 %}{% for i in items %}{% set a = a + i %}{{ a }},{% endfor %}{{ a }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, e) = (3, 4) %}{{ c }}{{ e }}{% set a, (b, c) = 1, (2, 3) %}{{ a }}{{ b }}{{ c }}
{% set a, b = 1, 2, 3 %}
{% set a, b = 'xy' %}{{ a }}{{ b }}
{% set a = 1, 2 %}{{ a }}{% set b = (1,) %}{{ b }}{% set c, = [5] %}{{ c }}
{% set x %}block {{ n }}{% endset %}[{{ x }}]{% set y | upper | replace('A', 'z') %}aBc{{ n }}{% endset %}{{ y }}
{% set n = n + 1 %}{{ n }}{% if true %}{% set n = 100 %}{% endif %}{{ n }}
{% if false %}{% set q = 1 %}{% endif %}{{ q is defined }}{{ q }}
{% for i in items %}{% if i == 1 %}{% set seen = i %}{% endif %}{{ seen }},{% endfor %}{{ seen }}
{% for i in items %}{{ i }}{% else %}none{% endfor %}{% for i in [] %}{{ i }}{% else %}none{% endfor %}{% for i in missing %}x{% else %}none{% endfor %}
{% for i in items %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}
{% for i in items %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }};{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}
{% for i in items %}{{ loop.cycle('a', 'b') }}{{ loop.changed(i > 1) }}{% endfor %}
{% for i in items %}{{ loop }}{% endfor %}
{% for i in items if i > 1 %}{{ i }}/{{ loop.length }}/{{ loop.last }}{% endfor %}{% for i in items if i > 9 %}{% else %}none{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for k in d.keys() %}{{ k }}{% endfor %}{% for v in d.values() %}{{ v }}{% endfor %}
{% for a, (b, c) in [(1, (2, 3)), [4, [5, 6]]] %}{{ a }}{{ b }}{{ c }};{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for a, b in items %}{% endfor %}
{% for i in 5 %}{% endfor %}
{% for i in none %}{% endfor %}
{% for c in 'aé日' %}{{ c }}.{% endfor %}{% for i in range(3) %}{{ i }}{% endfor %}{% for i in (1, 2) %}{{ i }}{% endfor %}{% for i in 1, 2 %}{{ i }}{% endfor %}
{% for i in items %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}{% for i in items %}{% if i == 1 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in [1] %}{% continue %}{% else %}E{% endfor %}{% for i in [1] %}{% break %}{% else %}E{% endfor %}
{% for i in [1, 2] %}{% for j in [1, 2] %}{% if j == 2 %}{% break %}{% endif %}{{ i }}{{ j }}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}
{% for i in items %}{% set s %}{% if i == 1 %}{% break %}{% endif %}{{ i }}{% endset %}{{ s }}{% endfor %}
{% break %}
{% macro m() %}{% break %}{% endmacro %}
{% for i in items %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}
{% for i in items recursive %}{{ i }}{% endfor %}
{% for x in nested recursive %}{% if x is iterable %}[{{ loop(x) }}]{% else %}{{ x }}@{{ loop.depth }}{% endif %}{% if not loop.last %},{% endif %}{% endfor %}
{% for x in items %}{{ loop(x) }}{% endfor %}
{% for loop in items %}{% endfor %}
{% for i in items %}{% set loop = 1 %}{% endfor %}
{{ loop }}{{ loop is defined }}
{% for u in users if u.on %}{{ u.name }}{{ loop.index }}{% endfor %}
{% set ns = namespace(stop=false) %}{% for i in [1, 2, 3] if not ns.stop %}{{ i }}{% if i == 2 %}{% set ns.stop = true %}{% endif %}{% endfor %}
{% macro hi(name, greeting='Hello', *a) %}{% endmacro %}
{% macro hi(name, greeting='Hello') %}{{ greeting }} {{ name }}!{% endmacro %}{{ hi('Bob') }}{{ hi('Bob', 'Yo') }}{{ hi(greeting='Hey', name='Al') }}{{ hi() }}{{ hi }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(b=3) }}
{% macro m(a=b, b=1) %}{{ a }}{{ b }}{% endmacro %}{{ m() }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}{{ m() }}
{% macro m(a) %}{{ varargs }}{% endmacro %}{{ m(1, 2, 3) }}{{ m(*[1, 2]) }}{{ m(*(1,), **{'a': 2}) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[1]) }}{{ m(**{'a': 5}) }}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}
{% macro box(t) %}[{{ t }}:{{ caller() }}]{% endmacro %}{% call box('T') %}body {{ n }}{% endcall %}
{% macro each(l) %}{% for i in l %}{{ caller(i) }}{% endfor %}{% endmacro %}{% call(i) each(items) %}<{{ i }}>{% endcall %}{% call(i, j=9) each(items) %}<{{ i }}{{ j }}>{% endcall %}
{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}
{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}
{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}
{% macro f(n) %}{{ n }}{% if n > 0 %},{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}
{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}
{% macro a() %}{{ v }}{% endmacro %}{{ a() }}{% set v = 1 %}{{ a() }}{% set v = 2 %}{{ a() }}
{% macro a() %}{% set n = 99 %}{{ n }}{% endmacro %}{{ a() }}{{ n }}
{% macro a() %}{{ n }}{% endmacro %}{{ a() }}{% set n = 1 %}{{ a() }}
{% for i in items %}{{ n }}{% endfor %}{% set n = 1 %}{% for i in items %}{{ n }}{% endfor %}
{% for i in items %}{{ n }}{% set n = i %}{{ n }}{% endfor %}{{ n }}
{% for i in items %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}
{% with a = 1, b = n %}{{ a }}{{ b }}{% set n = 3 %}{{ n }}{% endwith %}{{ n }}{{ a }}
{% with %}{% set z = 1 %}{{ z }}{% endwith %}{{ z }}{% with a = 1 %}{% with b = a %}{{ b }}{% endwith %}{% endwith %}
{% with (a, b) = (1, 2) %}{{ a }}{{ b }}{% endwith %}
{% filter upper %}abc {{ name }}{% endfilter %}{% filter replace('a', 'b')|upper|indent(2, true) %}aac{% endfilter %}
{% raw %}{{ x }} {% if %} {# c #}{% endraw %}|{%- raw -%}  {{ a }}  {%- endraw -%}  |
{# comment #}a{#- strip -#} b {# more #} c {#+ x +#}
{{ '{{' }} {{ '%}' }} {{ "}}" }} {% set a = '%}' %}{{ a }}
{ { } } {a} % #} }} {% if 1 %}{{ {'a': {'b': 1}}['a']['b'] }}{% endif %}
{{ {} }}{{ {'a': {}} }}{{ {'a':1}|tojson }}{{ [{}] }}
{% if 1 %}a{% elif 1 %}b{% else %}c{% endif %}{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}{% if 0 %}a{% elif 0 %}b{% else %}c{% endif %}{% if 0 %}a{% endif %}
{% if n == 7 and name and not empty %}ok{% endif %}{% if items is iterable and items is not string %}it{% endif %}
{% if 1: %}colon{% endif %}{% for i in items: %}{{ i }}{% endfor %}
{% print 1, 'a' %}{% print n %}
{{ range(100001) }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{{ range() }}
{{ range(1.5) }}
{{ dict(a=1, b=2) }}{{ dict({'x': 1}, y=2) }}{{ dict([('k', 'v'), ['l', 'w']]) }}{{ dict() }}
{{ dict([1]) }}
{% set c = cycler('a', 'b', 'c') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{% set _ = c.reset() %}{{ c.next() }}
{{ cycler() }}
{% set j = joiner() %}{{ j() }}a{{ j() }}b{{ j() }}{% set k = joiner('|') %}{{ k() }}{{ k() }}
{{ raise_exception('a message') }}
{{ raise_exception('é ' ~ n) }}
{% if n > 5 %}{{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}{% endif %}
{{ raise_exception() }}
{{ strftime_now('%Y-%m-%d') }} {{ strftime_now('%d %b %Y') }} {{ strftime_now('%B %-d, %Y %H:%M:%S.%f') }} {{ strftime_now('%A %a %j %U %y %I %p %% %z%Z') }}
{{ strftime_now() }}
{{ strftime_now('') }}|{{ strftime_now('é %Y 日') }}
{{ undefined_function(1) }}
{{ n() }}
{{ name.upper }}{{ name.nope() }}
{{ name.upper().lower().title() }}{{ 'a-b'.split('-')[1].upper() }}{{ ' x '.strip() ~ '|' }}{{ '{}'.upper() }}
{{ name.split(' ', 1) }}{{ name.split(maxsplit=1) }}{{ name.split(sep='L') }}{{ name.strip(chars='A') }}
{{ 'a'.upper(1) }}
{{ ','.join(['a', 'b']) }}{{ ','.join(('a',)) }}{{ ''.join([]) }}{{ ','.join('abc') }}{{ ','.join(d) }}{{ ', '.join(users|map(attribute='name')) }}
{{ ','.join([1]) }}
{{ 'abc'.startswith('a') }}{{ 'abc'.startswith(('x', 'a')) }}{{ 'abc'.endswith('c', 1) }}{{ 'abc'.startswith('b', 1, 2) }}{{ 'abc'.startswith(['a']) }}
{{ 'abc'.startswith('') }}{{ 'abc'.startswith('', 4) }}{{ 'abc'.find('c') }}{{ 'abc'.find('z') }}{{ 'abc'.find('') }}{{ 'abc'.find('', 9) }}{{ 'aéb日'.find('日') }}{{ 'abcabc'.rfind('b') }}{{ 'abcabc'.find('b', 2) }}{{ 'abcabc'.find('b', -2) }}{{ 'abcabc'.find('a', none, 1) }}
{{ 'abc'.index('z') }}
{{ 'abcabc'.count('bc') }}{{ 'aaa'.count('aa') }}{{ 'abc'.count('') }}{{ 'abc'.count('', 4) }}{{ 'abc'.count('c', 0, 2) }}
{{ 'a b'.title() }}{{ "they're bill's".title() }}{{ 'ǆ ǳ ß ﬁ'.title() }}{{ 'ΑΣ ΣΑ Σ ΑΣ.'.lower() }}{{ 'ß ﬁ ŉ İ'.upper() }}{{ 'İ'.lower() }}{{ 'Ab ǅ'.swapcase() }}
{{ 'x'.center(5) }}|{{ 'x'.center(4, '*') }}|{{ 'ab'.center(5, '*') }}|{{ 'x'.ljust(3) }}|{{ 'x'.rjust(3, '日') }}|{{ '-5'.zfill(4) }}|{{ '5'.zfill(0) }}|{{ '+'.zfill(3) }}
{{ 'x'.center(5, 'ab') }}
{{ 'a.b.c'.partition('.') }}{{ 'a.b.c'.rpartition('.') }}{{ 'abc'.partition('x') }}{{ 'abc'.rpartition('x') }}
{{ 'abc'.partition('') }}
{{ 'aXbXc'.replace('X', '-') }}{{ 'aXbXc'.replace('X', '-', 1) }}{{ 'abc'.replace('', '-') }}{{ 'abc'.replace('', '-', 2) }}{{ 'abc'.replace('', '-', 0) }}{{ ''.replace('', 'x') }}{{ 'aaa'.replace('aa', 'b') }}
{{ 'prefix-x'.removeprefix('prefix-') }}{{ 'x.suf'.removesuffix('.suf') }}{{ 'x'.removesuffix('') }}
{{ ' a  b '.split() }}{{ ' a  b c '.split(none, 1) }}{{ ' a  b c '.rsplit(none, 1) }}{{ 'a,b,c'.rsplit(',', 1) }}{{ 'a,b,c'.split(',', 0) }}{{ ''.split() }}{{ ''.split(',') }}{{ 'a\u00a0b\u2003c'.split() }}
{{ 'a'.split('') }}
{{ 'a\nb\r\nc\x0bd\x85e\u2028f'.splitlines() }}{{ 'a\nb\n'.splitlines(true) }}{{ '\n'.splitlines() }}{{ ''.splitlines() }}
{{ '12'.isdigit() }}{{ '²'.isdigit() }}{{ '²'.isdecimal() }}{{ '½'.isnumeric() }}{{ 'aé日'.isalpha() }}{{ 'a1'.isalnum() }}{{ ' \t'.isspace() }}{{ ''.isspace() }}{{ 'Ab'.istitle() }}{{ 'aB'.islower() }}{{ 'A1'.isupper() }}{{ 'a_1'.isidentifier() }}{{ '\x00'.isprintable() }}{{ 'é'.isascii() }}
{{ [1, 2, 1].count(1) }}{{ [1, 2].index(2) }}{{ (1, 2).index(2) }}{{ [1].copy() }}{{ d.copy() }}{{ range(5).index(3) }}{{ [1, true, 1.0].count(1) }}
{{ [1].index(5) }}
{{ d.keys() }}{{ d.values() }}{{ d.items() }}{{ d.items()|list }}{{ d.keys()|list }}{{ d.items()|length }}{{ d.items()|first }}{{ d.keys()|last }}
{{ users|map(attribute='name')|list }}{{ users|map(attribute='on', default='?')|list }}{{ users|map(attribute='x')|list }}{{ users|map('length')|list }}{{ words|map('upper')|join(',') }}{{ words|map('replace', 'a', 'b')|list }}{{ [[1, 2]]|map('first')|list }}{{ [{'a': [5]}]|map(attribute='a.0')|list }}{{ [[7]]|map(attribute=0)|list }}
{{ users|selectattr('on')|map(attribute='name')|list }}{{ users|rejectattr('on')|map(attribute='name')|list }}{{ users|selectattr('age', 'gt', 26)|map(attribute='name')|list }}{{ users|selectattr('city', 'none')|list|length }}{{ users|selectattr('on', 'defined')|list|length }}{{ users|selectattr('city', 'equalto', 'NY')|first }}
{{ items|select('odd')|list }}{{ items|reject('odd')|list }}{{ items|select|list }}{{ [0, 1, '', 'a']|select|list }}{{ items|select('in', [1, 2])|list }}{{ items|select('>', 1)|list }}
{{ users|selectattr()|list }}
{{ items|map()|list }}
{{ items|map('nope')|list }}
{{ []|map('nope')|list }}
{{ items|select('nope')|list }}
{% set g = items|map('string') %}{{ g|list }}{{ g|list }}{% if [1]|select('odd') %}truthy{% endif %}{% if []|select('odd') %}truthy{% endif %}
{{ items|map('string')|length }}
{{ items|map('string')|last }}
{{ (items|map('string'))[0] }}|{{ items|map('abs')|first }}
{{ items|reverse|list }}{{ name|reverse }}{{ items|map('abs')|reverse }}{{ d|reverse|list }}{{ range(3)|reverse|list }}
{{ users|groupby('city')|length }}
{{ users|groupby('age') }}
{% for age, group in users|groupby('age') %}{{ age }}:{{ group|map(attribute='name')|join('+') }};{% endfor %}{% for g in users[:3]|groupby('city') %}{{ g.grouper }}{{ g.list|length }}{{ g[0] }};{% endfor %}{{ users|groupby('on', default='q')|length }}
{{ users[:3]|groupby('city', case_sensitive=true)|map('first')|list }}
{{ users|sort(attribute='name')|map(attribute='name')|list }}{{ users|sort(attribute='age,name')|map(attribute='name')|list }}{{ users|sort(true, attribute='age')|map(attribute='name')|list }}{{ words|sort }}{{ words|sort(case_sensitive=true) }}{{ words|sort(reverse=true) }}
{{ [none, none]|sort }}{{ [1, 'a']|sort }}
{{ [3, 1]|sort(attribute=none) }}{{ d|dictsort }}{{ d|dictsort(true) }}{{ {'a': 3, 'b': 1}|dictsort(false, 'value') }}{{ {'a': 3, 'b': 1}|dictsort(by='value', reverse=true) }}
{{ d|dictsort(by='x') }}
{{ words|unique|list }}{{ words|unique(true)|list }}{{ users|unique(attribute='age')|map(attribute='name')|list }}{{ [1, 1.0, true, '1']|unique|list }}{{ words|min }}{{ words|max }}{{ users|max(attribute='age') }}{{ []|min }}{{ items|sum }}{{ users|sum(attribute='age') }}{{ [[1], [2]]|sum(start=[]) }}{{ [0.1, 0.2]|sum }}
{{ ['a']|sum }}
{{ items|batch(2)|list }}{{ items|batch(2, 'x')|list }}{{ range(7)|slice(3)|list }}{{ range(7)|slice(3, 'f')|list }}{{ items|batch(0)|list }}{{ items|slice(5)|list }}
{{ items|slice(0)|list }}
{{ items|join }}{{ items|join(', ') }}{{ users|join('-', attribute='name') }}{{ items|join(1) }}{{ 'abc'|join('.') }}{{ none|join }}
{{ 'abc'|first }}{{ items|first }}{{ []|first }}{{ items|last }}{{ d|first }}{{ d|last }}{{ 'ab'|last }}{{ d|list }}{{ 'aé'|list }}{{ d|items|list }}{{ missing|items|list }}
{{ 5|list }}
{{ '%s is %d years, %.2f, %5s|%-5s|%05d|%x|%X|%o|%e|%g|%r|%c|%%|%+d|% d|%#x' % ('A', 42, 3.14159, 'r', 'l', 42, 255, 255, 8, 12345.678, 0.0001, 'q', 'z', 5, 6, 255) }}
{{ '%s' % 5 }}{{ '%s' % 'a' }}{{ '%s' % [1, 2] }}{{ '%(a)s-%(b)d' % {'a': 1, 'b': 2} }}{{ '%s %s'|format('a', 'b') }}{{ '%(x)s'|format(x=1) }}{{ '%*d' % (5, 42) }}{{ '%.3s' % 'abcdef' }}{{ '%5.1f|%-8.3e|%G' % (2.25, 1234.5, 1e-10) }}
{{ '%d' % 'a' }}
{{ '%s %s' % ('a',) }}
{{ '%s' % ('a', 'b') }}
{{ 'none' % () }}{{ 'x' % [] }}{{ 'x' % {} }}
{{ 'x' % 5 }}
{{ '%z' % 5 }}
{{ '%d %i' % (3.99, -3.99) }}{{ '%d' % true }}{{ '%s' % none }}{{ '%x' % 3.5 }}
{{ lines|indent }}|{{ lines|indent(2, true) }}|{{ lines|indent(2, first=true, blank=true) }}|{{ lines|indent('> ') }}|{{ ''|indent }}|{{ 'a\n'|indent }}
{{ 5|indent }}
{{ name|truncate(5) }}{{ name|truncate(8, true) }}{{ name|truncate(8, true, '…', 0) }}{{ name|truncate(255) }}{{ 'foo bar baz qux'|truncate(9) }}{{ 'foo bar baz qux'|truncate(11) }}{{ 'foo bar baz qux'|truncate(11, False, '...', 0) }}
{{ name|truncate(2) }}
{{ 'hello wOrld foo-bar (baz) [x] {y} <z> it\'s'|title }}{{ 'ß x'|title }}{{ unicode|upper }}{{ unicode|capitalize }}{{ 'a'|center(5) }}|{{ name|wordcount }}{{ 'a_b c-d é1'|wordcount }}
{{ html|e }}{{ html|escape }}{{ html|safe }}{{ html|e|e }}{{ html|forceescape }}{{ html|e|forceescape }}{{ (html|safe) + '<' }}{{ '<' + (html|safe) }}{{ (html|e)|upper }}{{ '<'|safe|string is escaped }}{{ 5|e }}{{ [html|e] }}{{ (html|safe)[:3] + '<' }}{{ (html|safe) ~ '<' }}
{{ '<i>'|safe|replace('<', '&') }}{{ ('<i>'|safe).replace('i', '<') }}{{ ('<'|safe).join(['<', '>']) }}{{ ('a'|safe).center(3, '<') }}
{{ 'a b/c?d=é&f'|urlencode }}{{ {'a b': 'c/d', 'é': 1}|urlencode }}{{ [('a', 1), ('b', '&')]|urlencode }}{{ 5|urlencode }}
{{ '42'|int }}{{ '42.9'|int }}{{ 'x'|int }}{{ 'x'|int(7) }}{{ '0x1f'|int(0, 16) }}{{ '1f'|int(base=16) }}{{ ' 5 '|int }}{{ '1_000'|int }}{{ none|int }}{{ [1]|int }}{{ 3.99|int }}{{ -3.99|int }}{{ true|int }}{{ '1e3'|int }}{{ 'inf'|int }}{{ '0b11'|int(0, 2) }}{{ '0o7'|int(0, 0) }}{{ '٣'|int }}
{{ '3.5'|float }}{{ 'x'|float }}{{ 'x'|float(1.5) }}{{ 5|float }}{{ '1e5'|float }}{{ 'inf'|float }}{{ '-Infinity'|float }}{{ 'nan'|float }}{{ '.5'|float }}{{ '5.'|float }}{{ '1_0.5'|float }}{{ none|float }}{{ ''|float }}{{ '.'|float }}{{ 'e5'|float }}
{{ 42.55|round }}{{ 42.55|round(1) }}{{ 42.55|round(1, 'floor') }}{{ 42.55|round(1, 'ceil') }}{{ 2.5|round }}{{ 3.5|round }}{{ -2.5|round }}{{ 42|round }}{{ 42|round(-1) }}{{ 45|round(-1) }}{{ 55|round(-1) }}{{ 42|round(1, 'floor') }}{{ 1234.5|round(-2) }}{{ 2.675|round(2) }}{{ 42.5|round|int }}{{ 0.5|round }}
{{ 5|round(0, 'x') }}
{{ 'a'|round }}
{{ d|tojson }}{{ d|tojson(indent=2) }}{{ d|tojson(indent=0) }}{{ users|tojson(sort_keys=true) }}{{ 'é日😀\x7f"\\\n\t\x01/<>&\''|tojson }}{{ 'é日😀\x7f'|tojson(ensure_ascii=true) }}{{ [1.0, 1e100, none, true, 'a', [], {}, [[]], (1, 2)]|tojson }}{{ [1, [2, {'a': []}]]|tojson(indent=4) }}{{ {'a': [1, 2]}|tojson(separators=(',', ':')) }}{{ {'a': [1]}|tojson(indent='\t', separators=(', ', ' = ')) }}{{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }}{{ d|tojson(true, 1) }}{{ []|tojson(indent=2) }}{{ {}|tojson(indent=2) }}{{ 5|tojson }}{{ ('inf'|float)|tojson }}{{ d|tojson(indent=-1) }}{{ d|tojson(indent=true) }}
{{ missing|tojson }}
{{ d.items()|tojson }}
{{ range(3)|tojson }}
{{ {(1, 2): 3}|tojson }}
{{ {1: 2, 'a': 3}|tojson(sort_keys=true) }}
{{ namespace(a=1)|tojson }}
{{ missing|default }}{{ none|default('x') }}{{ none|default('x', true) }}{{ ''|d('x', boolean=true) }}{{ 0|default(1, true) }}{{ missing|default(missing) }}
{{ d|attr('items')() }}{{ d|attr('a') }}{{ d|attr('zz') is defined }}{{ name|attr('upper')() }}
{{ missing|attr('x') }}
{{ -5|abs }}{{ -5.5|abs }}{{ true|abs }}
{{ 'a'|abs }}
{{ 5|length }}
{{ none|length }}
{{ name|replace('a', 'o') }}{{ 5|replace(5, 6) }}{{ 'aaa'|replace('a', 'b', 2) }}{{ 'abc'|replace('', '.') }}{{ none|replace('o', 'x') }}
{{ '  a '|trim }}|{{ 'xxaxx'|trim('x') }}|{{ 5|trim }}|{{ none|trim }}|{{ '\u3000a\u00a0'|trim }}|
{{ 'x'|nope }}
{% if false %}{{ 'x' is defined }}{% endif %}
{{ 1|string + 'a' }}{{ 1.0|string }}{{ none|string }}{{ [1]|string|length }}{{ 'abc'|count }}
{{ n is number }}{{ n is odd }}{{ n is even }}{{ n is divisibleby 7 }}{{ n is divisibleby(2) }}{{ n is eq 7 }}{{ n is ne 7 }}{{ n is gt 3 }}{{ n is lessthan 3 }}{{ n is in [7] }}{{ n is not in [7] }}{{ n is sameas 7 }}{{ none is none }}{{ n is not none }}{{ missing is undefined }}{{ missing is not defined }}
{{ n is defined and n is number or false }}{{ not n is odd }}{{ n is odd == true }}{{ (n is odd) ~ 'x' }}{{ n is integer }}{{ 1.0 is float }}{{ true is integer }}{{ true is number }}{{ true is boolean }}{{ 1 is true }}{{ true is true }}{{ false is false }}{{ 0 is false }}
{{ 'a' is string }}{{ 'a' is lower }}{{ 'A' is upper }}{{ 'a' is iterable }}{{ 'a' is sequence }}{{ d is mapping }}{{ [] is sequence }}{{ d is sequence }}{{ d.items() is sequence }}{{ d.items() is iterable }}{{ 5 is iterable }}{{ n is callable }}{{ range is callable }}{{ 'a'.upper is callable }}{{ missing is callable }}{{ 'upper' is filter }}{{ 'nope' is filter }}{{ 'odd' is test }}{{ 'x' is escaped }}{{ ('x'|e) is escaped }}
{{ 'a' is odd }}
{{ n is nope }}
{{ n is odd is even }}
{{ n is in }}
{{ n is divisibleby }}
{{ 1 is eq 1 and 2 is eq 2 }}{{ 5 is gt 3 if true else 1 }}{{ [1, 2] is eq [1, 2] }}{{ 'b' is in 'abc' }}{{ 3 is divisibleby n }}{{ 'x' is eq name[0] }}
{% generation %}gen {{ n }}{% set q = 1 %}{% endgeneration %}{{ q }}
{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}
{% for i in items %}{% generation %}{{ loop.index }}{% break %}{% endgeneration %}{% endfor %}
{% if %}{% endif %}
{% if 1 %}
{% endif %}
{% for %}{% endfor %}
{% for i items %}{% endfor %}
{% unknown %}
{% set %}
{% set 5 = 1 %}
{% set none = 1 %}
{% set a.b.c = 1 %}
{% macro %}{% endmacro %}
{% macro m(a=1, b) %}{% endmacro %}
{% macro m(none) %}{% endmacro %}
{% call 5 %}{% endcall %}
{{ }}
{{ 1 +  }}
{{ (1 }}
{{ 1) }}
{{ [1, 2 }}
{{ 'open }}
{{ "open }}
{{ a b }}
{{ 1 2 }}
{{ a.. }}
{{ a. }}
{{ a|  }}
{{ a|5 }}
{{ ! }}
{{ a ? b }}
{{ $ }}
{{ 1 = 2 }}
{{ {1, 2} }}
{{ {'a' 1} }}
{{ f(a=1, 2) }}
{{ f(**d, *items) }}
{{ f(a=1, a=2) }}
{# open
{% raw %} open
{% if 1 %}{% else %}{% else %}{% endif %}
{% endfor %}
{% for i in items %}{% endif %}
{{ 1 if }}
{{ if 1 }}
{{ not }}
{{ x is }}
{{ * }}
{{ lambda: 1 }}
{{ [x for x in items] }}
{{ n.5 }}{{ items.0.1 }}
{{ 5.upper() }}
{{ 1.e5 }}
{{ 0777 }}
{{ 1__0 }}
{{ 0x }}
{{ '\x4' }}
{{ '\u12' }}
{{ n -}}   x   {{- n }}
{{+1}}{{-1}}{{ + 1 }}
{{ not_a_test is not defined }}{{ (not_a_test) is undefined }}{{ -1 is number }}{{ not 1 in [2] }}{{ 1 in [1] in [[1]] }}
{{ 'a' if 1 else 'b' ~ 'c' }}{{ ('a' if 0 else 'b') ~ 'c' }}{{ 1 if 1 if 0 else 1 else 2 }}
{{ items|first|string|length }}{{ items|map('string')|map('length')|sum }}{{ (items|sort)[0] }}{{ items|sort|first + 1 }}{{ 1 + items|sort|first }}{{ -items|first }}
{{ [1, 2, 3,] }}{{ {'a': 1,} }}{{ (1, 2,) }}{{ range(3,)|list }}
{{ {'a': 1}.a }}{{ [1, 2][0] }}{{ 'abc'[1] }}{{ (1, 2)[1] }}{{ [[1]][0][0] }}{{ 'a'.upper()[0] }}{{ {'f': 1}['f'] }}
{{ [1, 2] == [1, 2] }}{{ [1, 2] == (1, 2) }}{{ {'a': 1} == {'a': 1.0} }}{{ [1, 2] < [1, 3] }}{{ (1,) < (1, 2) }}{{ 'a' < 'B' }}{{ 'é' > 'z' }}{{ none == false }}{{ '' == none }}{{ '1' == 1 }}
{{ [1] < (1,) }}
{{ none < 1 }}
{{ {} < {} }}
{{ 'a' < 1 }}
{{ 9007199254740993 == 9007199254740992.0 }}{{ 9007199254740993 > 9007199254740992.0 }}{{ 1e308 * 10 }}{{ -1e308 * 10 }}{{ (1e308 * 10) - (1e308 * 10) }}
{{ [('nan'|float)] == [('nan'|float)] }}{{ ('nan'|float) == ('nan'|float) }}{{ ('nan'|float) < 1 }}
{{ 9223372036854775807 }}{{ -9223372036854775807 }}{{ 3037000499 * 3037000499 }}
""".strip("\n").split("\n")
# Each expression by itself too: one that both refuse hides the others of its line.
SNIPPETS += [piece for snippet in SNIPPETS if "{%" not in snippet and snippet.count("{{") > 1 for piece in re.findall(r"\{\{.*?\}\}(?!\})", snippet)]


FILTERS = ["abs", "attr('a')", "batch(2)|list", "batch(2, 'f')|list", "capitalize", "center(9)", "count", "default('D')", "default('D', true)",
           "dictsort", "dictsort(true, 'value', true)", "e", "first", "float", "float(9.5)", "forceescape", "format(1)", "format", "groupby('a')",
           "groupby(0)", "indent", "indent(1, true, true)", "int", "int(5)", "int(5, 16)", "items|list", "join('-')", "join(',', attribute='a')",
           "last", "length", "list", "lower", "map('upper')|list", "map(attribute='a')|list", "map(attribute=0, default='?')|list", "max", "min",
           "max(attribute='a')", "reject('none')|list", "reject|list", "rejectattr('a')|list", "replace('a', 'Z')", "replace(1, 2, 1)", "reverse|list",
           "reverse", "round", "round(1)", "round(1, 'ceil')", "round(-1, 'floor')", "safe", "select|list", "select('string')|list",
           "selectattr('name')|list", "selectattr(0, 'defined')|list", "slice(2)|list", "slice(2, 'f')|list", "sort", "sort(true)", "sort(attribute='a')",
           "string", "sum", "sum(start=1)", "title", "tojson", "tojson(indent=2)", "tojson(ensure_ascii=true, sort_keys=true)", "trim", "trim('a')",
           "truncate(4)", "truncate(5, true, '', 0)", "unique|list", "unique(true)|list", "upper", "urlencode", "wordcount", "map('length')|list",
           "map('string')|join", "list|tojson", "tojson|length", "string|length", "map('e')|list|string", "join|upper", "sort|first", "sort|last"]
TESTS = ["boolean", "callable", "defined", "divisibleby 2", "divisibleby(0)", "eq 1", "equalto('a')", "escaped", "even", "odd", "false", "true", "filter",
         "test", "float", "integer", "ge 1", "gt 1", "le 1", "lt 1", "lt 'b'", "ne none", "greaterthan 0", "lessthan 0", "in [1, 'a', none]", "in 'a,b'",
         "in d", "iterable", "lower", "upper", "mapping", "none", "number", "sequence", "string", "undefined", "sameas none", "sameas true", "== 1"]
METHODS = ["capitalize()", "center(8)", "center(8, '-')", "count('a')", "count('')", "endswith('d')", "endswith(('c', ''))", "find('l')", "find('', 2)",
           "index('a')", "isalnum()", "isalpha()", "isascii()", "isdecimal()", "isdigit()", "isidentifier()", "islower()", "isnumeric()", "isprintable()",
           "isspace()", "istitle()", "isupper()", "join(['x', 'y'])", "ljust(7, '.')", "lower()", "lstrip()", "lstrip('a ')", "partition(',')",
           "removeprefix('a')", "removesuffix('c')", "replace('a', 'ZZ')", "replace('', '-', 3)", "rfind('l')", "rindex(',')", "rjust(7)", "rpartition(',')",
           "rsplit()", "rsplit(',', 1)", "rsplit(none, 1)", "rstrip()", "rstrip('\\n c')", "split()", "split(',')", "split(',', 1)", "split(none, 1)",
           "splitlines()", "splitlines(true)", "startswith('a')", "startswith('', 3)", "strip()", "strip('ac,')", "swapcase()", "title()", "upper()",
           "zfill(6)", "nope()", "upper", "copy()", "get('a')", "get('a', 1)", "items()", "keys()|list", "values()|list", "index(1)", "count(1)", "append(1)",
           "pop()", "update({})", "name", "a", "strip(1)", "split(1)", "find(1)", "count()", "join(5)", "replace('a')", "zfill('a')"]
BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]


def filters():
    return ["{{ %s|%s }}" % (literal, name) for literal, name in itertools.product(LITERALS, FILTERS)
            if "map(" not in literal or name not in ("wordcount", "string|length")]  # of what a generator prints


def tests():
    return ["{{ %s is %s }}{{ %s is not %s }}" % (pair * 2) for pair in itertools.product(LITERALS, TESTS)]


def methods():
    return ["{{ (%s).%s }}" % pair for pair in itertools.product(LITERALS, METHODS)]


def operators():
    operands = [literal for literal in LITERALS if "user" not in literal]
    made = ["{{ (%s) %s (%s) }}" % (a, operator, b) for a, operator, b in itertools.product(operands, BINARY, operands)]
    made = random.Random(4).sample(made, 9000)
    made += ["{{ %s(%s) }}" % pair for pair in itertools.product(["-", "+", "not "], operands)]
    keys = ["0", "-1", "9", "'a'", "none", "true", "1.0", "[1]", "(1,)", "missing", "1:", ":2", "::-1", "-2:", "1:1", "::2", "'a':", "::0", "5:1:-2"]
    return made + ["{{ (%s)[%s] }}" % pair for pair in itertools.product(operands, keys)]


def white_space():
    """Tags of all kinds with all signs, between blanks and newlines."""
    made = []
    tags = ["{%B if 1 E%}", "{{B n E}}", "{#B c E#}", "{%B raw E%}x{%B endraw E%}", "{%B set q = 1 E%}"]
    for tag, begin, end, before, after in itertools.product(tags, ["", "-", "+"], ["", "-", "+"], ["", "a", " ", "a \n", "\n \t", "a\n\n  "],
                                                            ["", "b", " b", "\nb", " \n\n b", "\n"]):
        text = tag.replace("B", begin).replace("E", end)
        made.append(before + text + after + ("{% endif %}" if "if" in tag else "") + "z\n")
    made += ["a\r\nb\rc\n", "\n", "\n\n", "  {% if 1 %}\n  x\n  {% endif %}\n", "\t{%- if 1 -%}\n\n x \n{%- endif -%}\n", "{{ 'a\r\nb' }}\r\n",
             "{{ 'line \\\ncontinued' }}", "{% filter indent(2, true) %}aa\nb\n\nc{% endfilter %}", "a{# multi\n line #}\n b", "{% set x\n=\n1\n%}\n{{\nx\n}}\n",
             "{% if 1 %}\u00a0\n{% endif %}", "x \u3000{%- if 1 %}{% endif %}", "x\u2028{% if 1 %}{% endif %}", "\u00a0 {% if 1 %}a{% endif %}", "{%- raw %} {% endraw -%} \n x",
             " {% raw %} \n {% endraw %} \n x", "{% for i in items %}\n{{ i }}\n{% endfor %}\n", "{%+ if 1 +%}\n a {%+ endif +%}\n"]
    return made


def templates():
    found = {}
    for name in sorted(os.listdir(FOLDER)):
        with open(os.path.join(FOLDER, name), encoding="utf-8", newline="") as file:
            found[name.removesuffix(".jinja")] = file.read()
    return found


TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "The weather of a place.\nNow, \"not\" later.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "description": "a city, as Köln"},
                                         "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"}},
        "required": ["city"]}, "return": {"type": "string", "description": "a sentence"}}},
    {"type": "function", "function": {"name": "sum_of", "description": "Adds <numbers> & more.", "parameters": {
        "type": "object", "properties": {"numbers": {"type": "array", "items": {"type": "number"}}, "deep": {"type": "object", "properties": {
            "on": {"type": "boolean", "nullable": True}, "any": {"type": ["string", "null"]}, "choice": {"oneOf": [{"type": "integer"}, {"type": "string"}]}},
            "required": ["on"]}}, "required": []}}},
]
DOCUMENTS = [{"title": "Köln", "text": "A city on the Rhine."}, {"title": "Empty", "text": ""}]


def call(name, arguments, id=None):
    made = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return {"id": id, **made} if id else made


CHATS = {
    "one": [{"role": "user", "content": "Hi"}],
    "system": [{"role": "system", "content": "Be brief.  "}, {"role": "user", "content": "  Hi there \n"}],
    "turns": [{"role": "user", "content": "1"}, {"role": "assistant", "content": " 2 "}, {"role": "user", "content": "3"},
              {"role": "assistant", "content": "4"}, {"role": "user", "content": "5"}],
    "answered": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}, {"role": "assistant", "content": "An answer. "}],
    "unicode": [{"role": "user", "content": "naïve 日本語 😀 \u200b\u2028 <|im_start|> {{ x }} {% y %}"}, {"role": "assistant", "content": "Ärger 👩‍👩‍👧\r\n\ttab"}],
    "empty": [{"role": "system", "content": ""}, {"role": "user", "content": ""}, {"role": "assistant", "content": ""}],
    "null": [{"role": "user", "content": "a"}, {"role": "assistant", "content": None, "tool_calls": None}, {"role": "user", "content": "b"}],
    "wrong order": [{"role": "assistant", "content": "first"}, {"role": "user", "content": "second"}],
    "two users": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "late system": [{"role": "user", "content": "a"}, {"role": "system", "content": "late"}, {"role": "user", "content": "b"}],
    "unknown role": [{"role": "user", "content": "a"}, {"role": "narrator", "content": "b"}],
    "developer": [{"role": "developer", "content": "Do it."}, {"role": "user", "content": "a"}],
    "no content": [{"role": "user"}],
    "parts": [{"role": "system", "content": [{"type": "text", "text": "S"}]},
              {"role": "user", "content": [{"type": "text", "text": "look "}, {"type": "image"}, {"type": "text", "text": "here"}]},
              {"role": "assistant", "content": [{"type": "text", "text": "seen"}]}],
    "call": [{"role": "user", "content": "Weather?"},
             {"role": "assistant", "content": "", "tool_calls": [call("get_weather", {"city": "Köln", "unit": "celsius"}, "abcdefghi")]},
             {"role": "tool", "name": "get_weather", "tool_call_id": "abcdefghi", "content": "12 °C"},
             {"role": "assistant", "content": "It is 12 °C."}, {"role": "user", "content": "Thanks"}],
    "calls": [{"role": "system", "content": "S"}, {"role": "user", "content": "Both"},
              {"role": "assistant", "content": "Wait.", "tool_calls": [call("get_weather", {"city": "Bonn"}, "aaaaaaaaa"),
                                                                       call("sum_of", {"numbers": [1, 2.5, -3], "deep": {"on": True, "any": None}}, "bbbbbbbbb")]},
              {"role": "tool", "name": "get_weather", "tool_call_id": "aaaaaaaaa", "content": {"temperature": 12.0, "text": "ä"}},
              {"role": "tool", "name": "sum_of", "tool_call_id": "bbbbbbbbb", "content": "0.5"}],
    "call as text": [{"role": "user", "content": "x"},
                     {"role": "assistant", "tool_calls": [call("sum_of", '{"numbers": [1]}', "ccccccccc")]},
                     {"role": "tool", "tool_call_id": "ccccccccc", "content": "1"}],
    "reasoning": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "reasoning_content": "Add.\nThem.", "content": "4"},
                  {"role": "user", "content": "3+3?"}, {"role": "assistant", "thinking": "Again.", "content": "6"}],
    "thoughts in text": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "<think>\nAdd.\n</think>\n\n4"},
                         {"role": "user", "content": "and?"}],
    "reasoning and call": [{"role": "user", "content": "Weather?"},
                           {"role": "assistant", "reasoning_content": "I must ask.", "content": "", "tool_calls": [call("get_weather", {"city": "Ulm"})]},
                           {"role": "tool", "content": "rain"}],
    "long": [{"role": "user" if turn % 2 == 0 else "assistant", "content": f"turn {turn} " + "word " * turn} for turn in range(31)],
}


def conversations():
    made = []
    for name, messages in CHATS.items():
        for prompt in (False, True):
            made.append({"messages": messages, "add_generation_prompt": prompt})
        made.append({"messages": messages, "tools": TOOLS, "add_generation_prompt": True})
        made.append({"messages": messages, "documents": DOCUMENTS, "add_generation_prompt": True, "extra": {"enable_thinking": False}})
        made.append({"messages": messages, "tools": TOOLS[:1], "extra": {"enable_thinking": True, "date_string": "01 Jan 2025", "reasoning_effort": "high",
                                                                         "builtin_tools": ["python", "browser"], "xml_tools": True, "bos_token": "<other>"}})
        made.append({"messages": messages, "tools": [], "extra": {"tools_in_user_message": False, "custom_instructions": "Mind {this}."}})
        for field in ("content", "reasoning_content"):
            made.append({"messages": messages, "continue_final_message": field})
    return made
