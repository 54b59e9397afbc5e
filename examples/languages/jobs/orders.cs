var seen = State.Get<int>("seen");
for (var order = 1; order <= 3; order++)
{
    Logger.Info($"order {order} of run {Run.Number}");
    Progress.Set(order, 3, $"order {order}");
}
State.Set("seen", seen + 3);
Notifications.SendMattermost("Ops Channel", $"C# has seen {seen + 3} orders");
