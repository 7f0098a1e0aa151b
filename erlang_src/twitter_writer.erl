%%% @doc All that changes the posts of one author, one after the other: his writes, the loading of his
%%% stream into the index, the deletion of his account.
%%%
%%% Stock pubsub reads the list of an author's items, changes it and writes it back, outside of
%%% transactions; two clients at once would lose a post of one. A transaction would be no remedy:
%%% `node_flat' catches what Mnesia throws to start one again, also in other people's transactions
%%% that come to wait for our locks, and goes on as if it had read nothing.
%%%
%%% A writer that is killed may have stored what the index was not told. Whose posts it was at stands in a
%%% table that outlives it; the next one makes the index forget him.
-module(twitter_writer).
-behaviour(gen_server).

-export([new/1, run/3, stores/0, stores/2, oldest/1, is_one/1, start_link/3]).
-export([init/1, handle_call/3, handle_cast/2]).

%% So often a worker is looked for, with so long a pause between.
-define(TRIES, 100).
-define(PAUSE_MS, 10).

-record(state, {table :: atom(), number :: pos_integer()}).

%% @doc The table lives as long as the calling process.
-spec new(ServerHost :: binary()) -> ok.
new(ServerHost) ->
    Table = table(ServerHost),
    Table = ets:new(Table, [named_table, public, {write_concurrency, true}]),
    ok.

table(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, ?MODULE).

%% @doc Runs the function when no other for the same author runs, and returns or raises what it does.
%% It may call this again for the same author, not for another one: two could wait for each other.
-spec run(twitter_service:served(), Author :: twitter_nif:jid(), fun(() -> Result)) -> Result.
run(#{host := Host, server_host := ServerHost}, Author, Fun) ->
    case get(?MODULE) of
        {Host, Author} ->
            Fun();
        undefined ->
            {_, Worker} = twitter_pool:worker(?MODULE, ServerHost, Author),
            case call(Worker, {run, {Host, Author}, Fun}, ?TRIES) of
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
    gen_server:start_link({local, Name}, ?MODULE, {ServerHost, Number}, []).

%% @private
-spec init({binary(), pos_integer()}) -> {ok, #state{}}.
init({ServerHost, Number}) ->
    Table = table(ServerHost),
    lists:foreach(fun({_, {Host, Author}, _}) -> ok = twitter_index:forget(Host, Author) end,
                  ets:take(Table, Number)),
    {ok, #state{table = Table, number = Number}}.

%% @private
-spec handle_call({run, {binary(), twitter_nif:jid()}, fun(() -> term())}, gen_server:from(), #state{}) ->
          {reply, {returned, term()} | {raised, error | exit | throw, term(), list()}, #state{}}.
handle_call({run, Whose, Fun}, _From, #state{table = Table, number = Number} = State) ->
    put(?MODULE, Whose),
    put({?MODULE, entry}, {Table, Number}),
    true = ets:insert(Table, {Number, Whose, none}),
    Reply = try Fun() of
                Result -> {returned, Result}
            catch
                Class:Reason:Stacktrace -> {raised, Class, Reason, Stacktrace}
            after
                true = ets:delete(Table, Number),
                erase({?MODULE, entry}),
                erase(?MODULE)
            end,
    {reply, Reply, State}.

%% @private
-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.
