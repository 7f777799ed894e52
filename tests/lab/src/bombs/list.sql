-- One statement a line: each wants more time, memory, rows or depth than anybody should get.
-- Endless rows
SELECT number * 2 FROM numbers(9000000000000000000)
SELECT count(), sum(number) FROM numbers(7000000000000000000)
SELECT number FROM numbers_mt(900000000000000)
SELECT zero FROM zeros_mt(800000000000000)
SELECT generate_series FROM generate_series(1, 4000000000000000000, 3)
SELECT toString(number), toString(number + 1), toString(number + 2) FROM numbers(100000000000)
SELECT a.number, b.number FROM numbers(10000000) AS a CROSS JOIN numbers(10000000) AS b
SELECT count() FROM numbers(3000000) AS a INNER JOIN numbers(3000000) AS b ON a.number % 3 = b.number % 3
SELECT Host, x.number FROM logs, numbers(700000000) AS x
SELECT count() FROM logs AS a JOIN logs AS b ON a.Host = b.Host
SELECT arrayJoin(range(2000000)) FROM numbers(2000000)
SELECT sum(arrayJoin(range(5000000))) FROM numbers(5000000)
SELECT number FROM numbers(20) ORDER BY number WITH FILL FROM 0 TO 3000000000000
SELECT n FROM (SELECT number AS n FROM numbers(3) ORDER BY n WITH FILL FROM 0 TO 90000000000)
-- Recursion
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 2 FROM r) SELECT sum(n) FROM r
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT a.n FROM r AS a, r AS b) SELECT count() FROM r
WITH RECURSIVE r AS (SELECT number AS n FROM numbers(2000000) UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r
-- Memory: arrays and texts
SELECT range(900000000)
SELECT length(range(200000000)) FROM numbers(50)
SELECT arrayWithConstant(800000000, 'yyyyyyyyyyyyyyyyyyyyyyyy')
SELECT arrayResize([toUInt64(1)], 1500000000)
SELECT repeat(repeat('ab', 500000), 2000)
SELECT repeat('z', 2000000) FROM numbers(5000)
SELECT length(repeat(toString(number), 100000)) FROM numbers(1000000)
SELECT arrayMap(x -> repeat('q', 100000), range(200000))
SELECT arraySort(arrayMap(x -> cityHash64(x), range(50000000)))
SELECT arrayReverse(range(400000000))
SELECT arrayConcat(range(100000000), range(100000000), range(100000000))
SELECT arrayStringConcat(arrayMap(x -> toString(x), range(80000000)), ',')
SELECT splitByChar(',', repeat('1,', 60000000))
SELECT groupArray(number) FROM numbers(3000000000)
SELECT groupUniqArray(number) FROM numbers(3000000000)
SELECT groupArray(repeat('v', 10000)) FROM numbers(1000000)
SELECT uniqExact(number) FROM numbers(4000000000)
SELECT quantileExact(0.5)(number) FROM numbers(4000000000)
SELECT median(number), topK(50000)(number) FROM numbers(8000000000)
SELECT number, count() FROM numbers(4000000000) GROUP BY number
SELECT toString(number) AS k, count() FROM numbers(2000000000) GROUP BY k ORDER BY k
SELECT DISTINCT cityHash64(number) FROM numbers(5000000000)
SELECT number FROM numbers(3000000000) ORDER BY cityHash64(number) DESC
SELECT number FROM numbers(3000000000) ORDER BY rand() LIMIT 2000000000
SELECT Body, count() FROM (SELECT concat(Body, toString(number)) AS Body FROM logs, numbers(100000)) GROUP BY Body
-- Windows
SELECT sum(number) OVER (ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM numbers(700000000)
SELECT max(number) OVER (PARTITION BY number % 3 ORDER BY number ROWS BETWEEN 900000 PRECEDING AND CURRENT ROW) FROM numbers(50000000)
SELECT groupArray(number) OVER (ORDER BY number ROWS BETWEEN 100000 PRECEDING AND CURRENT ROW) FROM numbers(1000000)
SELECT lagInFrame(number) OVER (ORDER BY cityHash64(number)) FROM numbers(2000000000)
-- One call that takes long
SELECT match(repeat('b', 2000000), '((b{0,90}){0,90}){0,90}c')
SELECT countSubstrings(repeat('ab', 40000000), 'ba') FROM numbers(100000)
SELECT replaceRegexpAll(repeat('ab', 3000000), '(a|b|ab)+', 'c') FROM numbers(1000)
SELECT extractAll(repeat('x1', 5000000), '[a-z][0-9]') FROM numbers(1000)
SELECT count() FROM logs WHERE match(Body, '(x?){80}(x?){80}(x?){80}(x?){80}(x?){80}(x?){80}(x?){80}(x?){80}z')
SELECT multiMatchAny(repeat('b', 3000), arrayMap(x -> concat(repeat('b{1,900}', 8), toString(x)), range(150)))
SELECT levenshteinDistance(repeat('a', 60000), repeat('b', 60000)) FROM numbers(2000)
SELECT ngramDistance(repeat('wxyz', 7000), repeat('xyzw', 7000)) FROM numbers(20000000)
SELECT sum(cityHash64(repeat('h', 90000))) FROM numbers(2000000000)
SELECT sum(sipHash64(toString(number))) FROM numbers(90000000000)
SELECT hex(SHA256(repeat('s', 1000000))) FROM numbers(1000000)
SELECT sequenceCount('(?1).*(?2).*(?1).*(?2).*(?1)')(toDateTime(number), number % 2 = 0, number % 5 = 0) FROM numbers(20000000)
SELECT arrayFold((acc, x) -> acc + x, range(100000000), toUInt64(0))
SELECT arrayShingles(range(200000), 2000)
SELECT bitmapCardinality(bitmapBuild(range(300000000)))
SELECT arrayPartialSort(5000000, arrayMap(x -> cityHash64(x), range(60000000)))
SELECT arrayMap(x -> arrayMap(y -> arrayMap(z -> x + y + z, range(1000)), range(1000)), range(1000))
SELECT formatRow('JSONEachRow', repeat('f', 2000000)) FROM numbers(200000)
SELECT lower(hex(randomString(200000000))) FROM numbers(50)
SELECT CAST(repeat('7,', 20000000) AS Array(UInt8))
SELECT toFixedString('a', 2000000000)
SELECT avg(length(JSONExtractString(concat('{"a":"', repeat('j', 1000000), '"}'), 'a'))) FROM numbers(1000000)
