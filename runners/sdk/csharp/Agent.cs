// The agent's SDK for C#: Notifications, Logger, State, Progress, Run, Payload
// and Webhook. It is compiled into the script, in a namespace of its own that
// the script uses: the script's own types of these names win.
#nullable enable
#pragma warning disable
namespace ApiMeld.Script;

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

/// <summary>A call that the agent refused; its message says why.</summary>
public sealed class AgentException : Exception
{
    public AgentException(string message) : base(message) { }
}

/// <summary>Sends messages to the webhooks of the configuration.</summary>
public static class Notifications
{
    /// <summary>Sends text to a webhook, by its name. When it returns, the message is stored.</summary>
    public static void SendMattermost(string webhook, string text, string? channel = null)
    {
        using var body = new MemoryStream();
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("webhook", webhook);
            json.WriteString("text", text);
            json.WriteString("channel", channel ?? "");
            json.WriteEndObject();
        }
        Agent.Ask("POST", "/v1/notices", body.ToArray());
    }
}

/// <summary>Writes lines with a level to the run's log.</summary>
public static class Logger
{
    public static void Debug(object? text) => Write("debug", text);
    public static void Info(object? text) => Write("info", text);
    public static void Warn(object? text) => Write("warning", text);
    public static void Warning(object? text) => Write("warning", text);
    public static void Error(object? text) => Write("error", text);

    static void Write(string level, object? text)
    {
        var line = Convert.ToString(text, CultureInfo.InvariantCulture) ?? "";
        if (!Agent.Record(level, line)) Console.Error.WriteLine($"{level}: {line}");
    }
}

/// <summary>What the task remembers from run to run: JSON values by key.</summary>
public static class State
{
    /// <summary>The value of a key, or null.</summary>
    public static JsonElement? Get(string key) => Agent.Ask("GET", Path(key), null) is { } text ? JsonDocument.Parse(text).RootElement : null;

    /// <summary>The value of a key as a type of the script's, or its default.</summary>
    public static T? Get<T>(string key) => Get(key) is { } value ? value.Deserialize<T>() : default;

    public static void Set<T>(string key, T value) => Agent.Ask("PUT", Path(key), JsonSerializer.SerializeToUtf8Bytes(value));

    public static void Delete(string key) => Agent.Ask("DELETE", Path(key), null);

    static string Path(string key) => "/v1/state?key=" + Uri.EscapeDataString(key);
}

/// <summary>How far the run is.</summary>
public static class Progress
{
    public static void Set(double done, double total, string text = "") => Agent.Record("progress",
        done.ToString(CultureInfo.InvariantCulture) + " " + total.ToString(CultureInfo.InvariantCulture) + " " + text.Replace('\n', ' '));
}

/// <summary>The run that this script belongs to.</summary>
public static class Run
{
    public static string Id => Agent.Variable("AGENT_RUN_ID") ?? "";
    public static long Number => long.TryParse(Agent.Variable("AGENT_RUN_NUMBER"), out var n) ? n : 0;
    public static string Task => Agent.Variable("AGENT_RUN_TASK") ?? "";
    public static int Attempt => int.TryParse(Agent.Variable("AGENT_RUN_ATTEMPT"), out var n) ? n : 0;
    public static string ScheduledFor => Agent.Variable("AGENT_RUN_SCHEDULED_FOR") ?? "";
    public static string Revision => Agent.Variable("AGENT_RUN_REVISION") ?? "";
    public static string Trigger => Agent.Variable("AGENT_RUN_TRIGGER") ?? "";
    public static string Url => Agent.Variable("AGENT_RUN_URL") ?? "";
}

/// <summary>What the run was triggered with.</summary>
public static class Payload
{
    /// <summary>As it came, or null.</summary>
    public static string? Text => Agent.Variable("TASK_PAYLOAD");

    /// <summary>As JSON; null when there is none or it is something else.</summary>
    public static JsonElement? Json
    {
        get
        {
            try { return Text is { } text ? JsonDocument.Parse(text).RootElement : null; }
            catch (JsonException) { return null; }
        }
    }

    /// <summary>As a type of the script's.</summary>
    public static T? As<T>() => Text is { } text ? JsonSerializer.Deserialize<T>(text) : default;
}

/// <summary>The HTTP request that triggered the run; TriggeredAt is null when none did.</summary>
public static class Webhook
{
    public static string Body => Agent.Variable("TASK_PAYLOAD") ?? "";
    public static string? TriggeredAt => Agent.Variable("AGENT_WEBHOOK_TRIGGERED_AT");
    public static IReadOnlyDictionary<string, string> Params => Map("AGENT_WEBHOOK_PARAMS");
    public static IReadOnlyDictionary<string, string> Headers => Map("AGENT_WEBHOOK_HEADERS");

    static IReadOnlyDictionary<string, string> Map(string name)
    {
        var map = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (Agent.Variable(name) is { } text)
            foreach (var one in JsonDocument.Parse(text).RootElement.EnumerateObject()) map[one.Name] = one.Value.ToString();
        return map;
    }
}

static class Agent
{
    static FileStream? pipe;
    static readonly object writing = new();

    internal static string? Variable(string name) => Environment.GetEnvironmentVariable(name);

    // Ask makes one request over the agent's socket, and returns null for what is not there.
    internal static string? Ask(string method, string path, byte[]? body)
    {
        body ??= Array.Empty<byte>();
        using var answer = new MemoryStream();
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.SendTimeout = socket.ReceiveTimeout = 60_000;
            socket.Connect(new UnixDomainSocketEndPoint(Variable("AGENT_RUN_SOCKET") ?? throw new AgentException("not inside a run")));
            socket.Send(Encoding.ASCII.GetBytes($"{method} {path} HTTP/1.0\r\nHost: agent\r\nAuthorization: Bearer {Variable("AGENT_RUN_TOKEN")}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n"));
            try
            {
                for (var sent = 0; sent < body.Length;) sent += socket.Send(body.AsSpan(sent));
            }
            catch (SocketException) { } // refused before all of it was read: the answer says why
            var part = new byte[65536];
            for (int n; (n = socket.Receive(part)) > 0;) answer.Write(part, 0, n);
        }
        catch (SocketException e)
        {
            throw new AgentException("reach the agent: " + e.Message);
        }
        var text = Encoding.UTF8.GetString(answer.ToArray());
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0 || !int.TryParse(text.AsSpan(9, 3), out var status)) throw new AgentException("reach the agent: it gave no answer");
        text = text[(end + 4)..];
        if (status == 404) return null;
        if (status < 400) return text;
        string reason;
        try { reason = JsonDocument.Parse(text).RootElement.GetProperty("detail").GetString() ?? ""; }
        catch (Exception) { reason = $"the agent answered {status}"; }
        throw new AgentException(reason);
    }

    // Record writes lines to the pipe that the agent reads.
    internal static bool Record(string kind, string text)
    {
        try
        {
            lock (writing)
            {
                if (pipe is null)
                {
                    // Opening for writing waits for a reader: here it is this process, for
                    // a moment. Once the agent is gone, writing fails instead of waiting.
                    var path = Variable("AGENT_RUN_LOG")!;
                    using var reader = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, 0);
                    pipe = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 0);
                }
                foreach (var line in text.Replace("\0", "").Split('\n'))
                {
                    // A pipe takes up to 4096 bytes at once without mixing them with another's.
                    for (var at = 0; at == 0 || at < line.Length; at += 1000)
                        pipe.Write(Encoding.UTF8.GetBytes(kind + " " + line.Substring(at, Math.Min(1000, line.Length - at)) + "\n"));
                }
            }
            return true;
        }
        catch (Exception) { return false; }
    }
}
