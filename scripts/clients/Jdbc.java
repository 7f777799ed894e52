import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

/** What DBeaver does with clickhouse-jdbc and its defaults: metadata, prepared statements, types, many rows.
 *  usage: java -cp clickhouse-jdbc-VERSION-all.jar Jdbc.java URL [USER PASSWORD] */
class Jdbc {
    interface Step { void run() throws Exception; }

    static int failed = 0;

    static void step(String name, Step step) {
        try {
            step.run();
            System.out.println("ok      " + name);
        } catch (Throwable error) {
            failed++;
            System.out.println("FAILED  " + name + ": " + String.valueOf(error).replace('\n', ' '));
        }
    }

    static void equal(Object wanted, Object found) {
        if (!String.valueOf(wanted).equals(String.valueOf(found))) throw new AssertionError("wanted " + wanted + ", found " + found);
    }

    static int count(ResultSet rows) throws SQLException {
        int count = 0;
        while (rows.next()) count++;
        return count;
    }

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        if (arguments.length > 2) {
            properties.setProperty("user", arguments[1]);
            properties.setProperty("password", arguments[2]);
        }
        boolean ours = arguments.length > 2;
        try (Connection connection = new com.clickhouse.jdbc.Driver().connect(arguments[0], properties)) {
            Statement statement = connection.createStatement();
            DatabaseMetaData meta = connection.getMetaData();
            step("is valid", () -> equal(true, connection.isValid(5)));
            step("product", () -> equal("ClickHouse", meta.getDatabaseProductName()));
            step("version", () -> equal(true, meta.getDatabaseProductVersion().startsWith("26.")));
            step("schemas", () -> equal(true, count(meta.getSchemas()) > 0));
            step("catalogs", () -> count(meta.getCatalogs()));
            step("table types", () -> equal(true, count(meta.getTableTypes()) > 0));
            step("type info", () -> equal(true, count(meta.getTypeInfo()) > 0));
            if (ours) {
                step("tables", () -> equal(true, count(meta.getTables(null, "lastwords", "%", null)) > 0));
                step("columns", () -> equal(true, count(meta.getColumns(null, "lastwords", "logs", "%")) > 10));
                step("primary keys", () -> count(meta.getPrimaryKeys(null, "lastwords", "logs")));
                step("logs", () -> equal(0, count(statement.executeQuery("SELECT * FROM logs LIMIT 10"))));
            }
            step("functions", () -> count(meta.getFunctions(null, null, "%")));
            step("200,000 rows", () -> {
                ResultSet rows = statement.executeQuery("SELECT number, concat('row ', toString(number)) FROM numbers(200000)");
                for (long n = 0; n < 200_000; n++) {
                    equal(true, rows.next());
                    equal(n, rows.getLong(1));
                    equal("row " + n, rows.getString(2));
                }
                equal(false, rows.next());
            });
            step("prepared statement", () -> {
                try (PreparedStatement prepared = connection.prepareStatement("SELECT ? + 1, ?, ?")) {
                    prepared.setLong(1, 41);
                    prepared.setString(2, "it's \\ a\ttab");
                    prepared.setDouble(3, 0.5);
                    ResultSet rows = prepared.executeQuery();
                    rows.next();
                    equal(42, rows.getLong(1));
                    equal("it's \\ a\ttab", rows.getString(2));
                    equal(0.5, rows.getDouble(3));
                }
            });
            String[][] types = {
                {"toUInt8(255)", "255"}, {"toInt64(-9223372036854775808)", "-9223372036854775808"},
                {"toUInt64(18446744073709551615)", "18446744073709551615"}, {"toFloat64(0.1)", "0.1"}, {"true", "true"},
                {"toDecimal64(12.34, 2)", "12.34"}, {"'text'", "text"}, {"toFixedString('ab', 2)", "ab"},
                {"toDate('2026-11-28')", "2026-11-28"}, {"toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')", "61f0c404-5cb3-11e7-907b-a6006ad3dba0"},
                {"CAST('a' AS Enum8('a' = 1))", "a"}, {"toLowCardinality('low')", "low"}, {"CAST(NULL AS Nullable(UInt8))", "null"},
            };
            for (String[] type : types) {
                step(type[0], () -> {
                    ResultSet rows = statement.executeQuery("SELECT " + type[0] + " AS v");
                    rows.next();
                    equal(type[1], rows.getString(1));
                });
            }
            for (String made : new String[] {"[1, 2, 3]", "map('k', 'v')", "tuple(1, 'a')", "toDateTime64('2026-11-28 12:00:00.123456789', 9, 'UTC')",
                "toDateTime('2026-11-28 12:00:00', 'Europe/Berlin')", "toIPv4('127.0.0.1')", "toIPv6('::1')"}) {
                step(made, () -> {
                    ResultSet rows = statement.executeQuery("SELECT " + made + " AS v");
                    rows.next();
                    equal(true, rows.getObject(1) != null);
                });
            }
            step("an error", () -> {
                try {
                    statement.executeQuery("SELECT nothing FROM numbers(1)");
                } catch (SQLException error) {
                    equal(47, error.getErrorCode() == 0 ? (error.getMessage().contains("47") ? 47 : 0) : error.getErrorCode());
                    return;
                }
                throw new AssertionError("no error came");
            });
            step("nothing at all", () -> equal(0, count(statement.executeQuery("SELECT 1 WHERE 0"))));
        }
        System.out.println(failed == 0 ? "all as expected" : failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }
}
