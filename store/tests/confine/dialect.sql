SELECT -1, - 1, 2-1, 2 -1, - -1, -(1), -1.5, (1), ((1)), (1,2), (1,), tuple(1,2), [1,2], [1,1+1], [(1)], [(1,2)], [], (), tuple(), map()
SELECT 1::UInt8, -1::Int8, 'a'::String, [1,2]::Array(UInt8), 1.50::Decimal(10,2), '2020-01-01'::Date, 1+1::UInt8, (1,'a')::Tuple(a UInt8, b String)
SELECT CAST(1 AS UInt8), CAST(1, 'UInt8'), CAST(1 AS Nullable( UInt8 )), cast('a' as varchar(10)), CAST(1 AS DOUBLE PRECISION), CAST(1 AS INT UNSIGNED)
SELECT 1 BETWEEN 0 AND 2, 1 NOT BETWEEN 0 AND 2, 1 IS NULL, 1 IS NOT NULL, 'a' LIKE 'b', 'a' NOT LIKE 'b', 'a' ILIKE 'A', 'a' NOT ILIKE 'b', 'a' REGEXP 'b', NOT 1, NOT 1 = 0, NOT (1)
SELECT 1 AND 1 AND 0, (1 AND 1) AND 0, 1 AND (1 AND 0), 1 OR 1 OR 0, 'a' || 'b' || 'c', 1 ? 2 : 3, 1 = 1 AND 2 = 2 OR 0
SELECT CASE WHEN 1 THEN 2 END, CASE 1 WHEN 1 THEN 2 ELSE 3 END, CASE WHEN 1 THEN 2 WHEN 0 THEN 1 ELSE 3 END, CASE WHEN 1 THEN CASE 2 WHEN 2 THEN 'x' END ELSE 'y' END
SELECT INTERVAL 1 DAY, INTERVAL '1' DAY, INTERVAL '1 day', INTERVAL '1 day 2 hours', INTERVAL (1+1) HOUR, INTERVAL 1 + 1 DAY, INTERVAL -1 DAY, now() - INTERVAL 1 WEEK > now()
SELECT DATE '2020-01-01', TIMESTAMP '2020-01-01 00:00:00', EXTRACT(DAY FROM toDate('2020-01-05')) AS x, EXTRACT(year FROM toDate('2020-01-05')), SUBSTRING('abc' FROM 1 FOR 2), SUBSTRING('abc' FROM 2), substring('abc', 2), TRIM(BOTH 'a' FROM 'aba'), TRIM('a'), TRIM(LEADING 'a' FROM 'aba'), trim(' a '), POSITION('a' IN 'ba'), position('ba', 'a'), OVERLAY('abc' PLACING 'x' FROM 1 FOR 2), extract('abc', 'b')
SELECT DATE_ADD(DAY, 1, toDate('2020-01-01')), DATEADD(toDate('2020-01-01'), INTERVAL 1 DAY), DATE_SUB(DAY, 1, toDate('2020-01-01')), DATEDIFF(DAY, toDate('2020-01-01'), toDate('2020-01-02')), date_diff('day', toDate('2020-01-01'), toDate('2020-01-02')), dateDiff(hour, toDate('2020-01-01'), toDate('2020-01-02')), TIMESTAMPADD(DAY, 1, toDate('2020-01-01')), date_trunc('hour', toDateTime('2020-01-01 01:02:03'))
SELECT (1,2).1, tuple(1,2).2, ([1,2])[1], [1,2][1], [1,2][-1], map('a',1)['a'], [[1,2],[3]][1][2], (1,(2,3)).2.1
SELECT 'a' IN ('a','b'), 1 IN (1), 1 IN 1, (1,2) IN ((1,2)), 1 IN (SELECT 1), 1 NOT IN (1), 1 GLOBAL IN (SELECT 1), 1 GLOBAL NOT IN (1), 1 IN [1,2], 1 IN tuple(1), (1, 2) NOT IN ((1, 2), (3, 4))
SELECT 1 = ANY (SELECT 1), 1 < ALL (SELECT 2), 1 <> ALL (SELECT 2), 1 >= ANY (SELECT 2), EXISTS (SELECT 1), exists(SELECT 1), NOT EXISTS(SELECT 1)
SELECT sum(x) FILTER (WHERE x>1), count(DISTINCT x), count(*), quantile(0.5)(x), countIf(x>1), any(x) IGNORE NULLS, any(x) RESPECT NULLS, sum(distinct x), uniqExactIf(x, x > 0), sumArray([x, x]), COUNT(*), Sum(x) FROM (SELECT 1 AS x)
SELECT arrayMap(x -> x+1, [1]), arrayMap((x,y) -> x+y, [1],[2]), arrayMap((x) -> (x,1), [1]), arrayFilter(x -> x > 1 AND x < 3, [1,2,3]), arrayMap(x -> arrayMap(y -> x * y, [1, 2]), [3]), arraySort((x, y) -> -y, [1,2],[3,4]), arrayFold((acc, x) -> acc + x, [1,2], toInt64(0))
SELECT a.1, a.b, t.a.b, t.*, `t`.`a` FROM (SELECT CAST((1,2) AS Tuple(b UInt8, c UInt8)) AS a) AS t
SELECT inf, nan, NULL, true, false, -inf, 0x1F, 0b101, 1e3, 1_000, .5, 5., 0x1p3, x'4142', b'01000001', $$heredoc$$, 'a''b', '\x41\%\_\d\N\e\0z', $t$ it's $t$, 18446744073709551615, -9223372036854775808, 123456789012345678901234567890
SELECT 1 <=> 1, 1 IS DISTINCT FROM 2, 1 IS NOT DISTINCT FROM 2, 7 MOD 2, 7 DIV 2, 1 == 1, 1 <> 2, 1 IS TRUE, 1 IS NOT FALSE
SELECT 1 AS a, a + 1 AS b, (b AS c) + 1, a*b-c%2/3
SELECT 'a%' LIKE 'a!%' ESCAPE '!', toDateTime('2020-01-01 00:00:00') AT TIME ZONE 'Europe/Berlin'
SELECT 1 FROM numbers(1) WHERE 1 AS y ORDER BY 1 AS z
SELECT 1 a, 2 b, 3 AS `c d`, 4 AS "e"
SELECT number FROM numbers(10) ORDER BY number LIMIT 2 OFFSET 1
SELECT number FROM numbers(10) ORDER BY number OFFSET 1 ROW FETCH FIRST 2 ROWS WITH TIES
SELECT number FROM numbers(10) ORDER BY number FETCH FIRST 2 ROWS ONLY
SELECT number % 3 AS k FROM numbers(10) ORDER BY k LIMIT 2 WITH TIES
SELECT TOP 2 number FROM numbers(10)
SELECT DISTINCT ON (number) number FROM numbers(3)
SELECT DISTINCT number % 2 FROM numbers(9)
SELECT number FROM numbers(10) LIMIT 1,2
SELECT number%3 AS k FROM numbers(10) LIMIT 1 OFFSET 1 BY k LIMIT 2
SELECT number FROM numbers(10) ORDER BY number DESC NULLS FIRST, 1 ASC NULLS LAST OFFSET 7
SELECT * EXCEPT number FROM (SELECT number, 1 AS x FROM numbers(2))
SELECT * EXCEPT(number) REPLACE(x+1 AS x) APPLY toString APPLY(y -> length(y)) FROM (SELECT number, 1 AS x FROM numbers(2))
SELECT * APPLY(quantile(0.5)) FROM (SELECT number AS a, number * 2 AS b FROM numbers(5))
SELECT COLUMNS(a, b) APPLY(x -> x + 1) FROM (SELECT 1 AS a, 2 AS b, 3 AS c)
SELECT t.COLUMNS('^a') FROM (SELECT 1 AS a, 2 AS b) AS t
SELECT * REPLACE (a + 1 AS a, b AS b) FROM (SELECT 1 AS a, 2 AS b)
SELECT * EXCEPT ('^a') FROM (SELECT 1 AS a, 2 AS b)
SELECT sum(number) OVER w, rank() OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM numbers(3) WINDOW w AS (PARTITION BY number%2 ORDER BY number)
SELECT sum(number) OVER (ORDER BY number ROWS UNBOUNDED PRECEDING), avg(number) OVER (ORDER BY number RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING), lagInFrame(number, 1, 7) OVER (), lag(number) OVER (ORDER BY number DESC), count() OVER () FROM numbers(5)
SELECT number, row_number() OVER (PARTITION BY number % 2 ORDER BY number) AS r FROM numbers(6) QUALIFY r = 1
SELECT Host, count() c FROM logs GROUP BY ROLLUP(Host) ORDER BY ALL
SELECT Host, Program, count() FROM logs GROUP BY Host, Program WITH CUBE
SELECT Host, count() FROM logs GROUP BY ALL WITH TOTALS ORDER BY Host
SELECT Host, Program, grouping(Host), count() FROM logs GROUP BY GROUPING SETS ((Host, Program), (Host), ())
SELECT count() FROM logs GROUP BY Host HAVING count() > 10
SELECT toStartOfHour(Timestamp) h, count() c FROM logs GROUP BY h ORDER BY h WITH FILL FROM toDateTime('2026-11-01 00:00:00', 'UTC') TO toDateTime('2026-11-02 00:00:00', 'UTC') STEP 3600 INTERPOLATE (c AS c + 1)
SELECT number AS n FROM numbers(3) ORDER BY n WITH FILL STEP 2 INTERPOLATE
SELECT a.Host, b.n FROM logs AS a INNER JOIN (SELECT Host, count() AS n FROM logs GROUP BY Host) AS b ON a.Host = b.Host LIMIT 3
SELECT count() FROM logs a LEFT JOIN events b ON a.Host = b.Host AND a.Timestamp >= b.Start
SELECT count() FROM logs AS a ASOF LEFT JOIN logs AS b ON a.Host = b.Host AND a.Timestamp > b.Timestamp
SELECT count() FROM logs l ANY LEFT JOIN logs r USING Host
SELECT count() FROM logs l LEFT SEMI JOIN events r USING (Host, Guest)
SELECT count() FROM logs CROSS JOIN numbers(2) AS n
SELECT count() FROM numbers(2) AS a, numbers(3) AS b WHERE a.number = b.number
SELECT count() FROM numbers(3) AS a FULL OUTER JOIN numbers(5) AS b ON a.number = b.number
SELECT count() FROM numbers(3) AS a RIGHT ANY JOIN numbers(5) AS b ON a.number = b.number
SELECT count() FROM numbers(3) AS a GLOBAL ANY INNER JOIN numbers(5) AS b USING number
SELECT a, x FROM (SELECT 1 AS a, [1,2] AS arr) ARRAY JOIN arr AS x
SELECT a, x, n FROM (SELECT 1 AS a, [1,2] AS arr) LEFT ARRAY JOIN arr AS x, arrayEnumerate(arr) AS n
SELECT LogAttributes['a'], mapKeys(LogAttributes), LogAttributes.keys FROM logs ORDER BY Timestamp LIMIT 2
SELECT count() FROM events FINAL WHERE Host = 'hv01'
SELECT count() FROM events FINAL PREWHERE Class = 'x' WHERE End IS NULL
WITH toDate('2020-01-01') AS d, x AS (SELECT 1 AS y), (SELECT max(number) FROM numbers(3)) AS m SELECT d, y, m FROM x
WITH x AS (SELECT 1 AS y) SELECT * FROM x UNION ALL SELECT * FROM x
WITH x AS (SELECT 1 AS y), z AS (SELECT y + 1 AS w FROM x) SELECT * FROM z, x
WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t
WITH h AS (SELECT DISTINCT Host FROM logs) SELECT count() FROM logs WHERE Host IN h
WITH ['hv01'] AS hosts SELECT count() FROM logs WHERE Host IN hosts
WITH logs AS (SELECT 1 AS a) SELECT * FROM logs
SELECT 1 AS n UNION ALL SELECT 2 UNION DISTINCT SELECT 1
(SELECT 1 AS n UNION ALL SELECT 1) INTERSECT SELECT 1
SELECT 1 EXCEPT SELECT 2 UNION ALL SELECT 3
SELECT 1 INTERSECT DISTINCT SELECT 1
SELECT * FROM (SELECT 1 AS a UNION ALL SELECT 2) ORDER BY a
SELECT (SELECT count() FROM logs), (SELECT 1, 'a'), [(SELECT 1)]
SELECT count() FROM logs WHERE (Host, Program) IN (SELECT Host, Program FROM logs)
SELECT count() FROM logs WHERE Host IN (SELECT Host FROM logs WHERE Program = 'nginx') AND NOT Host IN ('x')
SELECT count() FROM lastwords.logs WHERE lastwords.logs.Host = 'hv01' AND logs.Host = 'hv01'
FROM logs SELECT count() WHERE Host = 'hv01'
FROM logs AS l SELECT l.Host ORDER BY l.Timestamp LIMIT 1
SELECT * FROM values('`a` String, `b` UInt8', ('x', 1), ('y', 2))
SELECT * FROM generate_series(1, 5, 2)
SELECT * FROM zeros(2)
SELECT * FROM null('`a` String')
SELECT Host FROM logs ORDER BY Host COLLATE 'en' LIMIT 1
SELECT count() FROM logs WHERE Body ILIKE '%PANIC%' AND match(Body, '\d+') AND Body NOT LIKE '%\_%'
SELECT extractAll(Body, '\\d+'), splitByChar(' ', Body)[2], replaceRegexpAll(Body, '(\\d+)', '<\\1>') FROM logs ORDER BY Timestamp LIMIT 1
SELECT JSONExtract('{"a":[1,2]}', 'a', 'Array(UInt8)'), JSONExtractString('{"a":"b"}', 'a'), JSON_VALUE('{"a":1}', '$.a')
SELECT arrayReduce('quantile(0.5)', [1,2,3]), arrayReduce('sum', [1,2])
SELECT formatRow('CSV', 1, 'a'), toTypeName(1), untuple((1, 2)), transform(1, [1,2], ['a','b'], 'c')
SELECT count() FROM logs SETTINGS max_threads = 1, join_use_nulls = true
SELECT Host h, count() n, bar(n, 0, 500, 20) FROM logs GROUP BY h ORDER BY n DESC, h
SELECT toString(number) AS s, if(number > 1, 'many', 'few') AS q FROM numbers(3) WHERE s != '' GROUP BY s, q, number ORDER BY number
SELECT quantilesTDigest(0.5, 0.9)(number), topK(3)(number % 3), groupArray(5)(number), histogram(3)(number), sumMap([1],[number]) FROM numbers(10)
SELECT uniqMerge(s) FROM (SELECT uniqState(number) AS s FROM numbers(10))
SELECT argMax(Body, Timestamp), argMinIf(Body, Timestamp, Host = 'hv01'), countIf(SeverityNumber >= 17) / count() FROM logs
SELECT windowFunnel(600)(toDateTime(Timestamp), Program = 'kernel', Program = 'nginx') FROM logs
SELECT toStartOfInterval(Timestamp, INTERVAL 15 MINUTE) AS t, count() FROM logs GROUP BY t ORDER BY t LIMIT 3
SELECT if(1, (1 AS y), 2) + y
SELECT number FROM numbers(5) WHERE number NOT IN (SELECT number FROM numbers(3)) AND number BETWEEN 1 AND 1 + 3 AND number IS NOT NULL
SELECT NOT number AND number > 1 OR number = 3, -number * 2 + 3 - 4, 1 - -1, NOT number IS NULL, number = 1 = 1, number > 1 ? 'a' || 'b' : 'c', NOT NOT number FROM numbers(3)
SELECT coalesce(End, Start), CASE WHEN End IS NULL THEN 'open' ELSE 'closed' END AS End2 FROM events
SELECT End FROM events WHERE End > Start
SELECT date, interval, timestamp FROM (SELECT 1 AS date, 2 AS interval, 3 AS timestamp)
SELECT `from`, `select`.`where` FROM (SELECT 1 AS `from`, 2 AS `where`) AS `select`
SELECT 1 /* a */ + /* b */ 2 -- c
SELECT 'a' = 'a' AS `=`, 'ä' AS `zähler`
SELECT (1, 2, 3).2, ((1, 2)).1
SELECT 1 IN (1, 2) AND 'b' IN 'b' AS x
SELECT count() FROM (SELECT Host FROM logs GROUP BY Host WITH TOTALS)
SELECT currentDatabase(), version() = version(), truncate(1.5), now() > yesterday()
DESCRIBE TABLE logs
DESC (SELECT 1 AS a)
SELECT ((SELECT 1) + 1), (((SELECT 1)) + 1), ((SELECT 1)), ((SELECT 1 UNION ALL SELECT 1) UNION DISTINCT SELECT 1)
