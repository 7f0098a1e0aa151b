%%% @doc All that changes the posts of one author, one after the other: his writes, the loading of his
%%% stream into the index, the deletion of his account.
%%%
%%% Stock pubsub reads the list of an author's items, changes it and writes it back, outside of
%%% transactions; two clients at once would lose a post of one. A transaction would be no remedy:
%%% `node_flat' catches what Mnesia throws to start one again, also in other people's transactions
%%% that come to wait for our locks, and goes on as if it had read nothing.
%%%
%%% In a cluster that holds for all nodes. Each worker belongs to one node ({@link twitter_cluster:owner/2}); those of
%%% the same number on others borrow the turn from it for each function, which they run themselves: what it holds cannot
%%% travel. The owner lends to one at a time, and does nothing else meanwhile. A worker waits for the owner of its number only
%%% after it has begun with a function of its own, and an owner waits for nobody but who has borrowed from it; so no two wait
%%% for each other, as long as nodes agree about who the owner is. While they do not (after a node was lost, or the network
%%% split), every wait ends: who waits looks who the owner is, again and again, and what was lent is taken back from a process
%%% that has ended. For that moment two nodes may write for one author at once; then the list of his posts that stock
%%% pubsub keeps may lack one, but never the table of posts, from which he is read.
%%%
%%% A writer that is killed may have stored what the index was not told. Whose posts it was at stands in a
%%% table that outlives it; the next one makes the index forget him.
-module(twitter_writer).
-behaviour(gen_server).

-include_lib("ejabberd/include/logger.hrl").

-export([new/1, run/3, run_here/3, owner/2, stores/0, stores/2, collects/3, oldest/1, is_one/1, start_link/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

%% So often a worker is looked for, with so long a pause between.
-define(TRIES, 100).
-define(PAUSE_MS, 10).

%% How often somebody who waits for the turn looks whose it is; and how long he waits at most: then storage hangs on the
%% owner's node, and he goes on without.
-define(LOOK_MS, 100).
-define(BORROW_MS, 10_000).
%% How long a turn is lent to a process that lives.
-define(LENT_MS, 30_000).

-record(state, {server_host :: binary(), table :: atom(), number :: pos_integer(), name :: atom()}).

%% @doc The table lives as long as the calling process.
-spec new(ServerHost :: binary()) -> ok.
new(ServerHost) ->
    Table = table(ServerHost),
    Table = ets:new(Table, [named_table, public, {write_concurrency, true}]),
    ok.

table(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, ?MODULE).

%% @doc Runs the function when no other for the same author runs on any node, and returns or raises what it does, when the
%% other nodes know what has changed. It may call this again for the same author, not for another one: two could wait
%% for each other. Cost on a node that does not own the author: a round trip to the one that does.
-spec run(twitter_service:served(), Author :: twitter_nif:jid(), fun(() -> Result)) -> Result.
run(Service, Author, Fun) ->
    run(run, Service, Author, Fun).

%% @doc The same, if the function changes nothing that is stored: others may run on other nodes. No message goes there.
-spec run_here(twitter_service:served(), Author :: twitter_nif:jid(), fun(() -> Result)) -> Result.
run_here(Service, Author, Fun) ->
    run(run_here, Service, Author, Fun).

run(Where, #{host := Host, server_host := ServerHost}, Author, Fun) ->
    case get(?MODULE) of
        {Host, Author} ->
            Fun();
        undefined ->
            {_, Worker} = twitter_pool:worker(?MODULE, ServerHost, Author),
            case call(Worker, {Where, {Host, Author}, Fun}, ?TRIES) of
                {returned, Result} -> Result;
                {raised, Class, Reason, Stacktrace} -> erlang:raise(Class, Reason, Stacktrace)
            end;
        Another ->
            error({already_writing_for, Another})
    end.

%% If one was killed, there is another one in a moment; nothing was done by then.
call(Worker, Request, Tries) ->
    try
        gen_server:call(Worker, Request, infinity)
    catch
        exit:{noproc, _} when Tries > 1 ->
            timer:sleep(?PAUSE_MS),
            call(Worker, Request, Tries - 1)
    end.

%% @doc The node that puts the changes of that author in order.
-spec owner(ServerHost :: binary(), Author :: twitter_nif:jid()) -> node().
owner(ServerHost, Author) ->
    {Number, _} = twitter_pool:worker(?MODULE, ServerHost, Author),
    twitter_cluster:owner(ServerHost, Number).

%% @doc A function that runs here is about to store a post. Returns the moment, in microseconds since 1970.
-spec stores() -> non_neg_integer().
stores() ->
    Now = twitter_unread:moment(),
    case get({?MODULE, entry}) of
        {Table, Number} -> true = ets:update_element(Table, Number, {3, Now});
        undefined -> true
    end,
    Now.

%% @doc The same of a function for that author, in another process for which his writer waits; or in no writer.
-spec stores(ServerHost :: binary(), {Host :: binary(), Author :: twitter_nif:jid()}) -> non_neg_integer().
stores(ServerHost, {_, Author} = Whose) ->
    Now = twitter_unread:moment(),
    {Number, _} = twitter_pool:worker(?MODULE, ServerHost, Author),
    Table = table(ServerHost),
    case ets:lookup(Table, Number) of
        [{Number, Whose, _}] -> _ = ets:update_element(Table, Number, {3, Now});
        _ -> false
    end,
    Now.

%% @doc Whether the writer of that author runs for him: then he tells this to other nodes when he has ended. That is so in
%% every process for which he waits, as one of a pool of SQL.
-spec collects(ServerHost :: binary(), {Host :: binary(), Author :: twitter_nif:jid()}, twitter_cluster:told()) -> boolean().
collects(ServerHost, {_, Author} = Whose, Told) ->
    {Number, _} = twitter_pool:worker(?MODULE, ServerHost, Author),
    Table = table(ServerHost),
    Key = {told, Number, erlang:unique_integer([monotonic])},
    try is_at(Table, Number, Whose) of
        true ->
            true = ets:insert(Table, {Key, Told}),
            %% If he has ended just now, he may have taken it, or not.
            is_at(Table, Number, Whose) orelse ets:take(Table, Key) =:= [];
        false ->
            false
    catch
        %% Nobody writes anything.
        error:badarg -> false
    end.

is_at(Table, Number, Whose) ->
    case ets:lookup(Table, Number) of
        [{_, Whose, _}] -> true;
        _ -> false
    end.

%% @doc Since when a post is being stored, of all that are; `none' if there is none.
-spec oldest(ServerHost :: binary()) -> non_neg_integer() | none.
oldest(ServerHost) ->
    %% An atom comes after all numbers.
    lists:min([none | [Since || {_, _, Since} <- ets:tab2list(table(ServerHost))]]).

%% @doc Whether this process of any node is a writer of this one.
-spec is_one(pid()) -> boolean().
is_one(Process) ->
    node(Process) =:= node() andalso proc_lib:translate_initial_call(Process) =:= {?MODULE, init, 1}.

-spec start_link(Name :: atom(), ServerHost :: binary(), Number :: pos_integer()) ->
          {ok, pid()} | {error, term()}.
start_link(Name, ServerHost, Number) ->
    gen_server:start_link({local, Name}, ?MODULE, {ServerHost, Number, Name}, []).

%% @private
-spec init({binary(), pos_integer(), atom()}) -> {ok, #state{}}.
init({ServerHost, Number, Name}) ->
    Table = table(ServerHost),
    lists:foreach(fun({_, {Host, Author}, _}) -> ok = twitter_index:forget(Host, Author) end,
                  ets:take(Table, Number)),
    ok = twitter_cluster:deliver(ServerHost, collected(Table, Number)),
    {ok, #state{server_host = ServerHost, table = Table, number = Number, name = Name}}.

%% @private
-spec handle_call({run | run_here, {binary(), twitter_nif:jid()}, fun(() -> term())} | {lend, reference()},
                  gen_server:from(), #state{}) ->
          {reply, {returned, term()} | {raised, error | exit | throw, term(), list()}, #state{}} | {noreply, #state{}}.
handle_call({run, Whose, Fun}, _From, State) ->
    Turn = borrow(State),
    try
        {reply, ran(Whose, Fun, State), State}
    after
        return(Turn)
    end;
handle_call({run_here, Whose, Fun}, _From, State) ->
    {reply, ran(Whose, Fun, State), State};
handle_call({lend, Turn}, From, State) ->
    ok = lend(Turn, From),
    {noreply, State}.

ran(Whose, Fun, #state{server_host = ServerHost, table = Table, number = Number}) ->
    put(?MODULE, Whose),
    put({?MODULE, entry}, {Table, Number}),
    true = ets:insert(Table, {Number, Whose, none}),
    try Fun() of
        Result -> {returned, Result}
    catch
        Class:Reason:Stacktrace -> {raised, Class, Reason, Stacktrace}
    after
        true = ets:delete(Table, Number),
        ok = twitter_cluster:deliver(ServerHost, collected(Table, Number)),
        erase({?MODULE, entry}),
        erase(?MODULE)
    end.

collected(Table, Number) ->
    Keys = ets:select(Table, [{{{told, Number, '$1'}, '_'}, [], ['$1']}]),
    once([Told || Key <- lists:sort(Keys), {_, Told} <- ets:take(Table, {told, Number, Key})]).

%% What is forgotten once need not be forgotten twice.
once([Told, Told | Others]) -> once([Told | Others]);
once([Told | Others]) -> [Told | once(Others)];
once([]) -> [].

%%% The turn

borrow(State) ->
    borrow(State, erlang:monotonic_time(millisecond) + ?BORROW_MS).

borrow(#state{server_host = ServerHost, number = Number, name = Name} = State, Deadline) ->
    case twitter_cluster:owner(ServerHost, Number) of
        Node when Node =:= node() ->
            own;
        Owner ->
            Turn = make_ref(),
            Request = gen_server:send_request({Name, Owner}, {lend, Turn}),
            case lent(Request, Owner, Deadline, State) of
                lent ->
                    {{Name, Owner}, Turn};
                given_up ->
                    %% It may be lent yet.
                    ok = return({{Name, Owner}, Turn}),
                    case erlang:monotonic_time(millisecond) < Deadline of
                        true -> borrow(State, Deadline);
                        false -> without(Owner)
                    end
            end
    end.

lent(Request, Owner, Deadline, #state{server_host = ServerHost, number = Number} = State) ->
    case gen_server:wait_response(Request, ?LOOK_MS) of
        {reply, lent} ->
            lent;
        {error, _} ->
            timer:sleep(?PAUSE_MS),
            given_up;
        timeout ->
            IsOver = erlang:monotonic_time(millisecond) >= Deadline
                orelse twitter_cluster:owner(ServerHost, Number) =/= Owner,
            case IsOver andalso gen_server:receive_response(Request, 0) of
                false -> lent(Request, Owner, Deadline, State);
                {reply, lent} -> lent;
                _ -> given_up
            end
    end.

without(Owner) ->
    ?WARNING_MSG("The node ~ts does not let others write for ~b s: they go on without it",
                 [Owner, ?BORROW_MS div 1000]),
    own.

return(own) ->
    ok;
return({Worker, Turn}) ->
    Worker ! {returned, Turn},
    ok.

lend(Turn, {Borrower, _} = From) ->
    Monitor = monitor(process, Borrower),
    gen_server:reply(From, lent),
    receive
        {returned, Turn} -> ok;
        {'DOWN', Monitor, process, _, _} -> ok
    after ?LENT_MS ->
        ?WARNING_MSG("The node ~ts has been writing for ~b s: others wait for it no longer",
                     [node(Borrower), ?LENT_MS div 1000])
    end,
    true = demonitor(Monitor, [flush]),
    ok.

%% @private
-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

%% @private
-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info(_Late, State) ->
    {noreply, State}.
