using System.Collections.Generic;
Logger.Debug("a debug line");
Logger.Info("an info line");
Logger.Warn("a warning line");
Logger.Error("an error line");
Notifications.SendMattermost("Ops Channel", "csharp: " + "Sync in progress: 500/1000 records processed");
for (var i = 1; i <= 7; i++) Notifications.SendMattermost("Ops Channel", "csharp: " + Environment.GetEnvironmentVariable($"TEXT_{i}"));
Notifications.SendMattermost("Ops Channel", new string('x', 1048576));
try { Notifications.SendMattermost("Nobody", "text"); }
catch (Exception e) { Console.WriteLine("refused: " + e.Message); }
Console.WriteLine(State.Get("counter") is null ? "no counter" : "a counter");
State.Set("counter", "one \"two\" $three");
Console.WriteLine("counter: " + State.Get<string>("counter"));
State.Set("gone", new Dictionary<string, int?[]> { ["x"] = [1, null] });
if (State.Get("gone")!.Value.GetProperty("x")[0].GetInt32() != 1) throw new Exception("gone is not as it was");
State.Delete("gone");
Console.WriteLine(State.Get("gone") is null ? "gone is gone" : "gone is there");
Progress.Set(1, 4, "part one");
Console.WriteLine($"run: {Run.Task} {Run.Number} {Run.Attempt}");
Console.WriteLine("payload: " + (Payload.Text is null ? "none" : Payload.Json is { } json ? json.GetProperty("a").GetString() : Payload.Text));
if (Webhook.TriggeredAt is not null && Webhook.Params["from"] == "test") Console.WriteLine("webhook: " + Webhook.Body);
for (var i = 1; i <= 5; i++) Notifications.SendMattermost("Ops Channel", $"csharp: loop {i}");
Logger.Info("from a child");
Progress.Set(4, 4, "all of it");
Notifications.SendMattermost("Ops Channel", "csharp: the last words");
Environment.Exit(0);
