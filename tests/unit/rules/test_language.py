"""What `when` may say, and what it is told where it says something else."""

import pytest

from streams.rules.fields import Where
from streams.rules.language import Mistake, read
from streams.rules.tree import text


@pytest.mark.parametrize(
    ("where", "said", "understood"),
    [
        ("item", "brand = 'Acme' and not price > 10", "(brand = 'Acme') AND not(price > 10)"),
        ("item", "brand == 'it''s' or brand <> 'it\\'s'", "(brand = 'it\\'s') OR (brand != 'it\\'s')"),
        ("item", "price between 1 and 2 or price not between 3 and 4",
         "((price >= 1) AND (price <= 2)) OR not((price >= 3) AND (price <= 4))"),
        ("item", "title not like '%x' and title ilike 'y%'", "not(title LIKE '%x') AND (title ILIKE 'y%')"),
        ("item", "position not in (1, 2, 2)", "not(position IN (1, 2))"),
        ("item", "price is not null and available is true", "not(isnull(price)) AND coalesce(available = true, false)"),
        ("item", "case position when 1 then 'a' else 'b' end = 'a'", "multiIf(position = 1, 'a', 'b') = 'a'"),
        ("item", "case when available then 1 end > if(available, 1, 2)",
         "multiIf(available, 1, NULL) > multiIf(available, 1, 2)"),
        ("item", "ifNull(price, 0) > nullIf(price, 1)", "coalesce(price, 0) > multiIf(price = 1, NULL, price)"),
        ("item", "segments['age band'] = 'x' and attributes.a.b = 'y' and context.`c d` is null",
         "(segments['age band'] = 'x') AND (attributes.a.b = 'y') AND isnull(context['c d'])"),
        ("item", "toMonth(at) in (6, 7) and dayOfWeek(at) > 5", "month(at) IN (6, 7) AND (dayofweek(at) > 5)"),
        ("item", "number(attributes.rating) < -4.5", "number(attributes.rating) < -4.5"),
        ("item", "at >= toDateTime('2026-06-01T02:00:00+02:00')", "at >= toDateTime('2026-06-01 00:00:00.000000')"),
        ("item", "price = 1 -- a comment\n /* and more */ and price = 2", "(price = 1) AND (price = 2)"),
        ("slate", "avg(brand = 'Acme') > 0.5", "avg(brand = 'Acme') > 0.5"),
        ("slate", "count() = 0 or count(*) = k", "(count() = 0) OR (count() = k)"),
        ("slate", "count(distinct item) < countIf(price > 1)", "uniq(item) < countIf(price > 1)"),
        ("slate", "quantileIf(0.9)(score, available) > median(score)",
         "quantileIf(0.9)(score, available) > quantile(0.5)(score)"),
        ("slate", "coalesce(all(available), any(available))", "coalesce(all(available), any(available))"),
        ("slate", "max(created_at) < at and stddev(score) = 0", "(max(created_at) < at) AND (stddevpop(score) = 0)"),
        ("trace", "stage.scoring.duration_ms > 100 and component.covisit.n_out = 0",
         "(stage.scoring.duration_ms > 100) AND (component.covisit.n_out = 0)"),
        ("item", "available in (true) and at in (toDateTime('2026-06-01'))",
         "available IN (true) AND at IN (toDateTime('2026-06-01 00:00:00.000000'))"),
        ("trace", "stage.retrieval.failed or has(missing, 'ranker')", "stage.retrieval.failed OR has(missing, 'ranker')"),  # noqa: E501
        ("candidate", "segments.country = 'DE' and position > 3", "(segments.country = 'DE') AND (position > 3)"),
    ],
)  # fmt: skip
def test_what_may_be_said(where: Where, said: str, understood: str) -> None:
    assert text(read(said, where)) == understood
    assert read(understood, where) == read(said, where)


@pytest.mark.parametrize(
    ("where", "said", "offset", "told"),
    [
        ("item", "brnad = 'x'", 0, "unknown field 'brnad'; did you mean 'brand'?"),
        ("item", "price > 1 and segment.country = 'DE'", 14, "unknown field 'segment.country'; did you mean 'segments.country'?"),  # noqa: E501
        ("trace", "stage.scorin.n_out = 0", 0, "unknown field 'stage.scorin.n_out'; did you mean 'stage.scoring.n_out'?"),  # noqa: E501
        ("trace", "price > 1", 0, "'price' is a field of items, and scope trace has none: use scope item or slate"),
        ("slate", "k = 1 and price > 1", 10, "'price' differs from item to item: use it within avg(), any(), countIf()"),  # noqa: E501
        ("candidate", "total_ms > 1", 0, "'total_ms' is not known yet when a rule acts"),
        ("item", "context['a\\\\b'] = 'x'", 0, "a name with a backslash or a control character cannot be looked up"),
        ("item", "lwoer(brand) = 'x'", 0, "unknown function 'lwoer'; did you mean 'lower'?"),
        ("slate", "cuontIf(available) > 1", 0, "unknown function 'cuontIf'; did you mean 'countIf'?"),
        ("item", "price > 1 and avg(price) > 1", 14, "avg is over the items of a slate: only scope slate has them"),
        ("slate", "avg(sum(price)) > 1", 4, "sum within avg: one aggregate cannot be in another"),
        ("slate", "quantile(2)(price) > 1", 0, "the level of quantile must be a number from 0 to 1"),
        ("slate", "countIf() > 1", 0, "countIf takes a condition as its last value"),
        ("slate", "avg(price, score) > 1", 0, "avg takes one value"),
        ("slate", "any(price)", 4, "any takes a boolean, not a number"),
        ("item", "price > 'x'", 0, "> compares a number with a text; number(text) makes a number of a text"),
        ("item", "at > '2026-01-01'", 0, "> compares a time with a text; toDateTime('2026-06-01 00:00:00') is a time"),
        ("item", "available = 1", 0, "= compares a boolean with a number"),
        ("item", "sources = 'x'", 0, "= compares a list with a text"),
        ("item", "price in (1, 'x')", 13, "IN compares a number with a text"),
        ("item", "price in (select 1)", 0, "IN takes a list of values in brackets, and nothing else"),
        ("item", "price = null", 0, "NULL compares with nothing: write IS NULL or IS NOT NULL"),
        ("item", "price", 0, "must be a condition, and is a number"),
        ("item", "not price", 4, "NOT takes a boolean, not a number"),
        ("item", "price + brand > 1", 8, "+ takes a number, not a text"),
        ("item", "if(available, 1, 'x') = 1", 3, "must give values of one type, not number and text"),
        ("item", "match(title, '(a')", 0, "not a pattern: unclosed group"),
        ("item", "match(title, brand)", 13, "must be a value that stands here, not one that is computed"),
        ("item", "title like brand", 11, "must be a value that stands here, not one that is computed"),
        ("item", "dateDiff('week', created_at, at) > 1", 0, "the unit must be one of second, minute, hour, day"),
        ("item", "at > toDateTime('yesterday')", 5, "expected a time such as toDateTime('2026-06-01 00:00:00')"),
        ("item", "lower(brand, title) = 'x'", 0, "takes 1 values, not 2"),
        ("item", "price > 1e999", 8, "1e999 is too large a number"),
        ("item", "price > ", 6, "something is missing after '>'"),
        ("item", "price > 1)", 9, "cannot be read from ')' on"),
        ("item", "(price > 1", 9, "expecting ) after '1'"),
        ("item", "price > 1; price > 2", 0, "must be one condition"),
        ("item", "brand = 'x", 0, "a quote that is not closed"),
        ("item", " -- nothing", 0, "is empty"),
        ("item", "select 1", 7, "'SELECT 1' is not part of the language of rules"),
        ("item", "price > (select max(x) from y)", 28, "expecting ) after 'y'"),
        ("item", "url('http://x') = 'y'", 0, "unknown function 'url'"),
        ("item", "system.numbers > 1", 0, "unknown field 'system.numbers'"),
        ("item", "price::String = 'x'", 0, "'CAST(price AS String)' is not part of the language of rules"),
        ("slate", "any(available) over ()", 20, "cannot be read from '(' on"),
        ("item", "(" * 5000 + "price > 1" + ")" * 5000, 0, "nested too deeply"),
        ("item", "price" + " + 1" * 100 + " > 1", 0, "nested too deeply"),
        ("item", " or ".join(["price > 1"] * 1000), 0, "more than 2000 parts; make several rules of it"),
    ],
)  # fmt: skip
def test_what_may_not_be_said(where: Where, said: str, offset: int, told: str) -> None:
    with pytest.raises(Mistake) as caught:
        read(said, where)
    assert (caught.value.offset, caught.value.message[: len(told)]) == (offset, told)
