package words

import (
	"testing"
	"time"
)

func TestCron(t *testing.T) {
	for in, want := range map[string]string{
		"0 2 * * *":           "every day at 02:00",
		"0 0 2 * * *":         "every day at 02:00",
		"30 8 * * MON-FRI":    "on weekdays at 08:30",
		"30 8 * * 1-5":        "on weekdays at 08:30",
		"0 9 * * 6,7":         "on weekends at 09:00",
		"0 9 * * mon,thu":     "on Monday and Thursday at 09:00",
		"0 9,17 * * *":        "every day at 09:00 and 17:00",
		"*/15 * * * *":        "every 15 minutes",
		"* * * * *":           "every minute",
		"0 * * * *":           "every hour",
		"15 * * * *":          "every hour at :15",
		"0,30 * * * *":        "every hour at :00 and :30",
		"0 */6 * * *":         "every 6 hours",
		"*/10 1-3 * * *":      "every 10 minutes from 01:00 to 03:59",
		"*/5 8-17 * * 1-5":    "every 5 minutes from 08:00 to 17:59 on weekdays",
		"0 3 1 * *":           "on the 1st of the month at 03:00",
		"0 3 1,15 * *":        "on the 1st and 15th of the month at 03:00",
		"0 3 13 * FRI":        "on the 13th of the month or on Friday at 03:00",
		"0 0 1 1 *":           "on the 1st of the month at 00:00 in January",
		"0 6 * 3-5 *":         "every day at 06:00 from March to May",
		"*/10 * * * * *":      "every 10 seconds",
		"@hourly":             "every hour",
		"@daily":              "every day at 00:00",
		"@every 90s":          "every 90 seconds",
		"@every 2h":           "every 2 hours",
		"@every 1h1m1.5s":     "every 1h1m1.5s",
		"*/7 * * * *":         "", // not every 7 minutes: it starts anew each hour
		"0 2 * * 1#2":         "",
		"5-20/3 2 * * *":      "",
		"30 0 2 * * *":        "",
		"0 1,2,3,4,5,6 * * *": "",
		"@every nonsense":     "",
		"nonsense":            "",
		"":                    "",
	} {
		if got := Cron(in); got != want {
			t.Errorf("Cron(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0:                                   "0s",
		500 * time.Microsecond:              "1ms",
		85 * time.Millisecond:               "85ms",
		12400 * time.Millisecond:            "12.4s",
		30 * time.Second:                    "30s",
		59990 * time.Millisecond:            "1m",
		185 * time.Second:                   "3m 05s",
		2*time.Hour + 10*time.Minute:        "2h 10m",
		time.Hour:                           "1h",
		98 * time.Hour:                      "4d 2h",
		90 * 24 * time.Hour:                 "90d",
		-3 * time.Second:                    "-3s",
		time.Hour + 59*time.Second + 999999: "1h",
	} {
		if got := Duration(in); got != want {
			t.Errorf("Duration(%d) = %q, want %q", in, got, want)
		}
	}
}

func TestRelative(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for in, want := range map[time.Duration]string{
		0:                "just now",
		-2 * time.Second: "just now",
		-9 * time.Second: "9 s ago",
		-3 * time.Minute: "3 min ago",
		-30 * time.Hour:  "30 h ago",
		-50 * time.Hour:  "2 days ago",
		4 * time.Second:  "in 4 s",
		90 * time.Minute: "in 1 h",
		time.Millisecond: "now",
	} {
		if got := Relative(now.Add(in), now); got != want {
			t.Errorf("Relative(%s) = %q, want %q", in, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for in, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -123: "-123", -1234: "-1,234"} {
		if got := Number(in); got != want {
			t.Errorf("Number(%d) = %q, want %q", in, got, want)
		}
	}
}

func FuzzCron(f *testing.F) {
	for _, s := range []string{"0 2 * * *", "@every 90s", "*/10 1-3 * * MON-FRI", "0 0 0 0 0 0 0", "0 3 13 * FRI"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) { Cron(s) })
}
