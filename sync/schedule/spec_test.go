package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/schedule"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func parse(t *testing.T, text, in string) schedule.Spec {
	t.Helper()
	s, err := schedule.Parse(text, zone(t, in))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRefused has every text that the parser under us panics on, accepts by mistake, or that never fires.
func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "is empty",
		"   ":                                "is empty",
		"TZ=UTC":                             "names no time zone",
		"TZ=":                                "names no time zone",
		"TZ=0":                               "names no time zone",
		"CRON_TZ=":                           "names no time zone",
		"CRON_TZ=Europe/Paris 0 0 * * *":     "names no time zone",
		"  TZ=UTC 0 0 * * *":                 "names no time zone",
		"0 0 31 2 *":                         "never comes",
		"0 0 30 2 *":                         "never comes",
		"0 0 31 4,6,9,11 *":                  "never comes",
		"*/61 * * * *":                       "never comes in a range",
		"0 */24 * * *":                       "never comes in a range",
		"0 0 */31 * *":                       "never comes in a range",
		"0 0 1-3/5 * *":                      "never comes in a range",
		"*/0 * * * *":                        "step must be a number",
		"*/-1 * * * *":                       "step must be a number",
		"*/ * * * *":                         "step must be a number",
		"*-5 * * * *":                        "is not understood",
		"60 * * * *":                         "60 is out of range",
		"0 24 * * *":                         "24 is out of range",
		"0 0 0 * *":                          "0 is out of range",
		"0 0 * 13 *":                         "13 is out of range",
		"0 0 * * 8":                          "8 is out of range",
		"5-1 * * * *":                        "begins after its end",
		", * * * *":                          "is not understood",
		"1,,2 * * * *":                       "is not understood",
		"+5 * * * *":                         "is not understood",
		"99999999999999999999 * * * *":       "is not understood",
		"1-2-3 * * * *":                      "is not understood",
		"1/2/3 * * * *":                      "step must be a number",
		"0 0 * jann *":                       "is not understood",
		"0 0 * * *  extra more":              "7 of five fields",
		"0 0 0 * * *":                        "six fields",
		"hello":                              "1 of five fields",
		"@reboot":                            "is not a time",
		"@fortnightly":                       "is not known",
		"@every":                             "is not a duration",
		"@every soon":                        "is not a duration",
		"@every -1s":                         "too often",
		"@every 59s":                         "too often",
		"@every 90.5s":                       "fractions",
		"@every 99999h":                      "too seldom",
		strings.Repeat("0,", 5000) + "0 * *": "256 characters",
		"é * * * *":                          "is not understood",
		"\x00 * * * *":                       "is not understood",
	} {
		_, err := schedule.Parse(text, nil)
		if err == nil || !strings.Contains(err.Error(), want) || idbridge.KindOf(err) != idbridge.Invalid {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%.40q: an error of %d bytes", text, len(err.Error()))
		}
	}
}

// TestNext reads: in this zone, from this moment, these slots. Times are written as the wall clock shows them, with the
// offset that tells the two passings of a repeated hour apart.
func TestNext(t *testing.T) {
	const paris, howe, paulo = "Europe/Paris", "Australia/Lord_Howe", "America/Sao_Paulo"
	for _, row := range []struct {
		text, zone, from string
		want             []string
	}{
		{"15 3 * * *", "UTC", "2027-01-01T03:15:00Z", []string{"2027-01-02T03:15:00Z", "2027-01-03T03:15:00Z"}},
		{"*/2 * * * *", "UTC", "2027-01-01T00:00:59.5Z", []string{"2027-01-01T00:02:00Z", "2027-01-01T00:04:00Z"}},
		{"0 0 29 2 *", "UTC", "2027-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
		// Sunday is 0 and 7, alone and in ranges.
		{"0 0 * * 7", "UTC", "2027-01-01T00:00:00Z", []string{"2027-01-03T00:00:00Z", "2027-01-10T00:00:00Z"}},
		{"0 0 * * 5-7", "UTC", "2027-01-01T00:00:00Z", []string{"2027-01-02T00:00:00Z", "2027-01-03T00:00:00Z", "2027-01-08T00:00:00Z"}},
		{"0 0 * * 1-7/2", "UTC", "2027-01-01T00:00:00Z", []string{"2027-01-03T00:00:00Z", "2027-01-04T00:00:00Z", "2027-01-06T00:00:00Z"}},
		// Go's own zone table ends in 2037, and its rules beyond are wrong about the end of some years.
		{"0 * 1 1 *", paris, "2040-07-18T23:00:00+02:00", []string{"2041-01-01T00:00:00+01:00", "2041-01-01T01:00:00+01:00"}},
		{"30 2 * * *", paris, "2044-12-30T12:00:00+01:00", []string{"2044-12-31T02:30:00+01:00", "2045-01-01T02:30:00+01:00"}},
		{"0 0 * jan SUN", "UTC", "2027-01-30T00:00:00Z", []string{"2027-01-31T00:00:00Z", "2028-01-02T00:00:00Z"}},
		// Names of times, and intervals at multiples since 1970.
		{"@hourly", "UTC", "2027-01-01T00:30:00Z", []string{"2027-01-01T01:00:00Z", "2027-01-01T02:00:00Z"}},
		{"@weekly", "UTC", "2027-01-01T00:30:00Z", []string{"2027-01-03T00:00:00Z"}},
		{"@every 7m", "UTC", "1970-01-01T00:06:59Z", []string{"1970-01-01T00:07:00Z", "1970-01-01T00:14:00Z"}},
		{"@every 1h30m", paris, "2027-03-28T00:00:00Z", []string{"2027-03-28T03:30:00+02:00", "2027-03-28T05:00:00+02:00"}},
		{"@every 1m", "UTC", "1969-12-31T23:58:30Z", []string{"1969-12-31T23:59:00Z", "1970-01-01T00:00:00Z"}},
		// Paris 28 March 2027: 02:00 becomes 03:00. 02:30 does not come: once, right after the jump.
		{"30 2 * * *", paris, "2027-03-27T12:00:00+01:00", []string{"2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"}},
		{"0 3 * * *", paris, "2027-03-27T12:00:00+01:00", []string{"2027-03-28T03:00:00+02:00", "2027-03-29T03:00:00+02:00"}},
		{"*/10 2 * * *", paris, "2027-03-28T00:00:00+01:00", []string{"2027-03-28T03:00:00+02:00", "2027-03-29T02:00:00+02:00"}},
		{"*/30 1-3 * * *", paris, "2027-03-28T01:15:00+01:00", []string{"2027-03-28T01:30:00+01:00", "2027-03-28T03:00:00+02:00", "2027-03-28T03:30:00+02:00", "2027-03-29T01:00:00+02:00"}},
		{"30 2 28 3 *", paris, "2027-03-01T00:00:00+01:00", []string{"2027-03-28T03:00:00+02:00", "2028-03-28T02:30:00+02:00"}},
		// Paris 31 October 2027: 03:00 becomes 02:00. 02:30 comes twice: the first time only.
		{"30 2 * * *", paris, "2027-10-30T12:00:00+02:00", []string{"2027-10-31T02:30:00+02:00", "2027-11-01T02:30:00+01:00"}},
		{"30 2 * * *", paris, "2027-10-31T02:10:00+01:00", []string{"2027-11-01T02:30:00+01:00"}},
		{"0 3 * * *", paris, "2027-10-30T12:00:00+02:00", []string{"2027-10-31T03:00:00+01:00", "2027-11-01T03:00:00+01:00"}},
		{"0 2,3 * * *", paris, "2027-10-31T00:00:00+02:00", []string{"2027-10-31T02:00:00+02:00", "2027-10-31T03:00:00+01:00", "2027-11-01T02:00:00+01:00"}},
		// A spec of every hour is an interval: it goes on in both passings, and gets nothing extra after a jump.
		{"30 * * * *", paris, "2027-03-28T00:00:00+01:00", []string{"2027-03-28T00:30:00+01:00", "2027-03-28T01:30:00+01:00", "2027-03-28T03:30:00+02:00", "2027-03-28T04:30:00+02:00"}},
		{"0 * * * *", paris, "2027-10-31T01:00:00+02:00", []string{"2027-10-31T02:00:00+02:00", "2027-10-31T02:00:00+01:00", "2027-10-31T03:00:00+01:00"}},
		{"*/20 * * * *", paris, "2027-10-31T02:30:00+02:00", []string{"2027-10-31T02:40:00+02:00", "2027-10-31T02:00:00+01:00", "2027-10-31T02:20:00+01:00"}},
		// Lord Howe shifts by half an hour: 3 October 2027 02:00 becomes 02:30, 4 April 2027 02:00 becomes 01:30.
		{"15 2 * * *", howe, "2027-10-02T12:00:00+10:30", []string{"2027-10-03T02:30:00+11:00", "2027-10-04T02:15:00+11:00"}},
		{"45 1 * * *", howe, "2027-04-03T12:00:00+11:00", []string{"2027-04-04T01:45:00+11:00", "2027-04-05T01:45:00+10:30"}},
		{"0 2 * * *", howe, "2027-04-03T12:00:00+11:00", []string{"2027-04-04T02:00:00+10:30", "2027-04-05T02:00:00+10:30"}},
		{"45 * * * *", howe, "2027-04-04T01:00:00+11:00", []string{"2027-04-04T01:45:00+11:00", "2027-04-04T01:45:00+10:30", "2027-04-04T02:45:00+10:30"}},
		// São Paulo had no midnight on 4 November 2018, and two last hours on 17 February 2018.
		{"0 0 * * *", paulo, "2018-11-03T12:00:00-03:00", []string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"}},
		{"30 23 * * *", paulo, "2018-02-17T12:00:00-02:00", []string{"2018-02-17T23:30:00-02:00", "2018-02-18T23:30:00-03:00"}},
		{"@daily", paulo, "2018-02-17T12:00:00-02:00", []string{"2018-02-18T00:00:00-03:00", "2018-02-19T00:00:00-03:00"}},
		{"@daily", paulo, "2018-11-03T12:00:00-03:00", []string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"}},
	} {
		s := parse(t, row.text, row.zone)
		from, err := time.Parse(time.RFC3339Nano, row.from)
		if err != nil {
			t.Fatal(err)
		}
		slots := s.NextN(from, len(row.want))
		var got []string
		for _, at := range slots {
			got = append(got, at.Format(time.RFC3339))
			if last := s.Last(at); !last.Equal(at) {
				t.Errorf("%s in %s: Last(%v) is %v", row.text, row.zone, at, last)
			}
		}
		if strings.Join(got, " ") != strings.Join(row.want, " ") {
			t.Errorf("%s in %s from %s:\n got %v\nwant %v", row.text, row.zone, row.from, got, row.want)
		}
	}
}

// TestDaily holds for every zone that has daylight saving: a daily spec fires exactly once on each day of three years.
func TestDaily(t *testing.T) {
	for _, name := range []string{
		"Europe/Paris", "Europe/London", "Europe/Dublin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Chatham",
		"Africa/Cairo", "Africa/Casablanca", "Asia/Beirut", "America/Havana", "America/Asuncion", "Antarctica/Troll", "Asia/Kathmandu",
	} {
		for _, text := range []string{"0 0 * * *", "30 0 * * *", "15 1 * * *", "30 1 * * *", "0 2 * * *", "15 2 * * *", "30 2 * * *", "45 2 * * *", "30 23 * * *"} {
			s := parse(t, text, name)
			day := time.Date(2026, 1, 1, 12, 0, 0, 0, zone(t, name))
			at := s.Next(day.Add(12*time.Hour - time.Second))
			for range 3 * 365 {
				day = day.AddDate(0, 0, 1)
				if y, m, d := at.Date(); y != day.Year() || m != day.Month() || d != day.Day() {
					t.Fatalf("%s in %s: %v, on the day %v", text, name, at, day)
				}
				at = s.Next(at)
			}
		}
	}
}

func TestZeroSpec(t *testing.T) {
	var s schedule.Spec
	if !s.IsZero() || !s.Next(time.Now()).IsZero() || !s.Last(time.Now()).IsZero() || s.NextN(time.Now(), 3) != nil || s.String() != "" {
		t.Error("the zero spec fires")
	}
}

// FuzzParse holds that no text makes the parser panic, that what is accepted fires, ever later, at least a minute apart
// but for the two passings of an hour, on whole minutes, and that Last is the inverse of Next.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"15 3 * * *", "*/2 * * * *", "0 0 * * 7", "@every 90s", "TZ=UTC", "CRON_TZ=", "0 0 31 2 *", "5-7/2,0 ? 1 jan-mar mon", "@hourly"} {
		for i := range 3 {
			f.Add(text, int64(1_800_000_000), uint8(i))
		}
	}
	zones := []*time.Location{time.UTC}
	for _, name := range []string{"Europe/Paris", "Australia/Lord_Howe", "America/Havana"} {
		z, err := time.LoadLocation(name)
		if err != nil {
			f.Fatal(err)
		}
		zones = append(zones, z)
	}
	f.Fuzz(func(t *testing.T, text string, unix int64, z uint8) {
		s, err := schedule.Parse(text, zones[int(z)%len(zones)])
		if err != nil {
			if idbridge.KindOf(err) != idbridge.Invalid {
				t.Fatalf("%q: kind %v", text, idbridge.KindOf(err))
			}
			return
		}
		at := time.Unix(1_500_000_000+(unix%(1<<30)+1<<30)%(1<<30), 0) // 2017 to 2051
		for range 20 {
			next := s.Next(at)
			if next.IsZero() || !next.After(at) || next.Unix()%60 != 0 && !strings.HasPrefix(s.String(), "@every") {
				t.Fatalf("%q: %v after %v", text, next, at)
			}
			if last := s.Last(next.Add(time.Second / 2)); !last.Equal(next) {
				t.Fatalf("%q: Last is %v, not %v", text, last, next)
			}
			if mid := s.Next(at.Add(next.Sub(at) / 2)); !mid.Equal(next) {
				t.Fatalf("%q: from the middle %v, not %v", text, mid, next)
			}
			at = next
		}
	})
}
