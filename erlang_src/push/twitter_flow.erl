%%% @doc What the fan-out of a vhost has to do, has under way and has done: its limits and its counters.
%%%
%%% Posts that wait for a worker, and messages that wait for their sessions, are counted in bytes, and
%%% both are bounded. When too many posts wait, new ones are not pushed; they are stored, and read later.
%%% When too much is under way, the workers pause.
-module(twitter_flow).

-include_lib("ejabberd/include/logger.hrl").

-export([new/2, drain/1, delete/1, find/1, counters/1, count/3]).
-export([enter/3, leave/3, level/3, depart/2, arrive/2, is_open/1, forgive/2, forgive_idle/1]).
-export_type([flow/0, counter/0]).

-opaque flow() :: atomics:atomics_ref().
-type counter() :: pushed | routed | relayed | withheld | not_pushed | dropped | heard | refused.
%% Messages handed to sessions here, and to the router for other servers; stanzas that brought posts to a whole
%% server; messages that a block kept back; posts that were not pushed because too many waited; changes of which
%% other servers were not told, because they could not be reached or did not want them; what was heard of posts on
%% other servers, and what of that was not taken.

%% So many bytes of posts wait for one worker at most.
-define(MAX_WAITING, 33_554_432).
%% When messages of so many bytes are on their way to sessions, workers pause.
-define(MAX_UNDER_WAY, 67_108_864).
%% How long a stop waits at most for what is under way.
-define(DRAIN_MS, 1_000).
-define(PAUSE_MS, 5).
%% How often the log tells that posts are not pushed.
-define(COMPLAIN_S, 60).

-define(PUSHED, 1).
-define(ROUTED, 2).
-define(WITHHELD, 3).
-define(NOT_PUSHED, 4).
-define(DEPARTED, 5).
-define(ARRIVED, 6).
-define(COMPLAINED, 7).
%% What has not arrived and never will, as far as is known.
-define(FORGIVEN, 8).
%% What had departed and arrived when this was last looked at.
-define(SEEN, 9).
-define(RELAYED, 10).
-define(DROPPED, 11).
-define(HEARD, 12).
-define(REFUSED, 13).
%% What waits for the workers begins here.
-define(WAITING, 14).

%% @doc Counters of a vhost, all zero.
-spec new(ServerHost :: binary(), Workers :: pos_integer()) -> ok.
new(ServerHost, Workers) ->
    persistent_term:put({?MODULE, ServerHost}, atomics:new(?WAITING + Workers - 1, [])).

%% @doc Returns when nothing is under way any more, or what is will not arrive soon.
-spec drain(ServerHost :: binary()) -> ok.
drain(ServerHost) ->
    case find(ServerHost) of
        {ok, Flow} -> drain(Flow, ?DRAIN_MS div ?PAUSE_MS);
        error -> ok
    end.

drain(_Flow, 0) ->
    ok;
drain(Flow, Pauses) ->
    case under_way(Flow) of
        0 ->
            ok;
        _ ->
            timer:sleep(?PAUSE_MS),
            drain(Flow, Pauses - 1)
    end.

-spec delete(ServerHost :: binary()) -> ok.
delete(ServerHost) ->
    _ = persistent_term:erase({?MODULE, ServerHost}),
    ok.

-spec find(ServerHost :: binary()) -> {ok, flow()} | error.
find(ServerHost) ->
    case persistent_term:get({?MODULE, ServerHost}, undefined) of
        undefined -> error;
        Flow -> {ok, Flow}
    end.

%% @doc All counters since the plugin started; `waiting' and `under_way' are bytes, now.
-spec counters(ServerHost :: binary()) -> #{counter() | waiting | under_way => integer()}.
counters(ServerHost) ->
    {ok, Flow} = find(ServerHost),
    #{size := Size} = atomics:info(Flow),
    #{pushed => atomics:get(Flow, ?PUSHED),
      routed => atomics:get(Flow, ?ROUTED),
      relayed => atomics:get(Flow, ?RELAYED),
      dropped => atomics:get(Flow, ?DROPPED),
      withheld => atomics:get(Flow, ?WITHHELD),
      not_pushed => atomics:get(Flow, ?NOT_PUSHED),
      heard => atomics:get(Flow, ?HEARD),
      refused => atomics:get(Flow, ?REFUSED),
      under_way => under_way(Flow),
      waiting => lists:sum([atomics:get(Flow, Worker) || Worker <- lists:seq(?WAITING, Size)])}.

-spec count(flow(), counter(), non_neg_integer()) -> ok.
count(Flow, pushed, N) -> atomics:add(Flow, ?PUSHED, N);
count(Flow, routed, N) -> atomics:add(Flow, ?ROUTED, N);
count(Flow, relayed, N) -> atomics:add(Flow, ?RELAYED, N);
count(Flow, dropped, N) -> atomics:add(Flow, ?DROPPED, N);
count(Flow, withheld, N) -> atomics:add(Flow, ?WITHHELD, N);
count(Flow, not_pushed, N) -> atomics:add(Flow, ?NOT_PUSHED, N);
count(Flow, heard, N) -> atomics:add(Flow, ?HEARD, N);
count(Flow, refused, N) -> atomics:add(Flow, ?REFUSED, N).

%% @doc A post of so many bytes begins to wait for worker number N, unless too much waits there.
-spec enter(flow(), Worker :: pos_integer(), Bytes :: non_neg_integer()) -> ok | full.
enter(Flow, Worker, Bytes) ->
    case atomics:get(Flow, waiting(Worker)) + Bytes > ?MAX_WAITING of
        true ->
            count(Flow, not_pushed, 1),
            complain(Flow),
            full;
        false ->
            atomics:add(Flow, waiting(Worker), Bytes)
    end.

%% @doc It waits no longer.
-spec leave(flow(), Worker :: pos_integer(), Bytes :: non_neg_integer()) -> ok.
leave(Flow, Worker, Bytes) ->
    atomics:sub(Flow, waiting(Worker), Bytes).

%% @doc Nothing waits for the worker, if `IsIdle' says so. What is counted all the same was left by
%% somebody who was killed between counting and doing, or is about to be put right by who counts now.
-spec level(flow(), Worker :: pos_integer(), IsIdle :: fun(() -> boolean())) -> ok.
level(Flow, Worker, IsIdle) ->
    case atomics:get(Flow, waiting(Worker)) of
        0 ->
            ok;
        Counted ->
            _ = IsIdle() andalso atomics:compare_exchange(Flow, waiting(Worker), Counted, 0),
            ok
    end.

waiting(Worker) ->
    ?WAITING + Worker - 1.

complain(Flow) ->
    Now = erlang:monotonic_time(second),
    Before = atomics:get(Flow, ?COMPLAINED),
    case (Before =:= 0 orelse Now - Before >= ?COMPLAIN_S)
        andalso atomics:compare_exchange(Flow, ?COMPLAINED, Before, Now) =:= ok of
        true ->
            ?WARNING_MSG("Posts are published faster than they can be sent: ~b were not pushed to "
                         "friends since the start. They are stored, and found by reading",
                         [atomics:get(Flow, ?NOT_PUSHED)]);
        false ->
            ok
    end.

%% @doc Messages of so many bytes are on their way to sessions: told before they are sent.
-spec depart(flow(), Bytes :: non_neg_integer()) -> ok.
depart(Flow, Bytes) ->
    atomics:add(Flow, ?DEPARTED, Bytes).

%% @doc A session has taken its message.
-spec arrive(flow(), Bytes :: non_neg_integer()) -> ok.
arrive(Flow, Bytes) ->
    try
        atomics:add(Flow, ?ARRIVED, Bytes)
    catch
        %% The session was resumed on another node.
        error:badarg -> ok
    end.

%% In the order in which these grow, the last one first: so nothing seems to arrive before it departs.
under_way(Flow) ->
    Forgiven = atomics:get(Flow, ?FORGIVEN),
    Arrived = atomics:get(Flow, ?ARRIVED),
    case atomics:get(Flow, ?DEPARTED) - Arrived - Forgiven of
        Late when Late < 0 ->
            %% What was forgiven has arrived after all.
            _ = atomics:compare_exchange(Flow, ?FORGIVEN, Forgiven, Forgiven + Late),
            0;
        Bytes ->
            Bytes
    end.

%% @doc Whether workers may go on; else how much has arrived so far, to see whether that changes.
-spec is_open(flow()) -> true | {false, Arrived :: integer()}.
is_open(Flow) ->
    case under_way(Flow) =< ?MAX_UNDER_WAY of
        true -> true;
        false -> {false, atomics:get(Flow, ?ARRIVED)}
    end.

%% @doc Nothing has arrived for long: what is still under way was for sessions that have ended.
-spec forgive(flow(), Arrived :: integer()) -> ok.
forgive(Flow, Arrived) ->
    Forgiven = atomics:get(Flow, ?FORGIVEN),
    Lost = under_way(Flow),
    _ = atomics:get(Flow, ?ARRIVED) =:= Arrived
        andalso atomics:compare_exchange(Flow, ?FORGIVEN, Forgiven, Forgiven + Lost),
    ok.

%% @doc Forgives what is under way if nothing has departed or arrived since this was called before.
-spec forgive_idle(flow()) -> ok.
forgive_idle(Flow) ->
    Arrived = atomics:get(Flow, ?ARRIVED),
    Moved = atomics:get(Flow, ?DEPARTED) + Arrived,
    case atomics:exchange(Flow, ?SEEN, Moved) of
        Moved -> forgive(Flow, Arrived);
        _ -> ok
    end.
