%%% What goes from one node of a cluster to the others; run inside a server.
-module(twitter_traffic).

-export([count/1, counted/0]).

%% @doc Counts from now on what the processes of the plugin, and the sessions, send to other nodes.
-spec count(Host :: binary()) -> ok.
count(Host) ->
    Pids = below(gen_mod:get_module_proc(Host, twitter_sup)) ++
        [Pid || Session <- ejabberd_sm:dirty_get_my_sessions_list(), {_, Pid} <- [element(2, Session)]],
    Caller = self(),
    Counter = spawn(fun() ->
        true = register(?MODULE, self()),
        lists:foreach(fun(Pid) -> 1 = erlang:trace(Pid, true, [send]) end, Pids),
        Caller ! {self(), counting},
        counting(#{})
    end),
    receive {Counter, counting} -> ok end.

%% @doc How many messages of each kind that was; counting is over.
-spec counted() -> #{told | lend | returned | other => pos_integer()}.
counted() ->
    Counter = whereis(?MODULE),
    Delivered = erlang:trace_delivered(all),
    receive {trace_delivered, all, Delivered} -> ok end,
    Counter ! {count, self()},
    Monitor = monitor(process, Counter),
    receive
        {Counter, Counts} ->
            receive {'DOWN', Monitor, process, _, _} -> Counts end
    end.

below(Supervisor) ->
    lists:append([
        case Type of
            supervisor -> below(Pid);
            worker -> [Pid]
        end
     || {_, Pid, Type, _} <- supervisor:which_children(Supervisor), is_pid(Pid)
    ]).

counting(Counts) ->
    receive
        {trace, _, send, Message, To} ->
            case is_far(To) of
                true -> counting(maps:update_with(kind(Message), fun(N) -> N + 1 end, 1, Counts));
                false -> counting(Counts)
            end;
        {trace, _, send_to_non_existing_process, _, _} ->
            counting(Counts);
        {count, From} ->
            From ! {self(), Counts}
    end.

is_far({_Name, Node}) -> Node =/= node();
is_far(To) when is_pid(To); is_port(To); is_reference(To) -> node(To) =/= node();
is_far(_Name) -> false.

kind({'$gen_call', _, {told, _}}) -> told;
kind({'$gen_call', _, {lend, _}}) -> lend;
kind({returned, _}) -> returned;
kind(_Other) -> other.
