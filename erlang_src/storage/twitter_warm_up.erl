%%% @doc Reads, when a vhost begins to be served, which posts there are, before anybody asks: one author after the
%%% other, as long as the index has room. Requests are answered meanwhile, and what they need is read first; this goes
%%% on in between, at low priority, and says in the log how far it has come.
%%%
%%% Cost: for each author what his first reader would have to wait for.
-module(twitter_warm_up).
-behaviour(gen_server).

-include_lib("ejabberd/include/logger.hrl").

-export([served/1, sync/1, start_link/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).
%% In a process of its own.
-export([run/1]).

%% So often the log says how far it has come, in milliseconds.
-define(REPORT_MS, 10_000).
%% It ends when so much of the room is taken, in percent: the rest is for what readers need.
-define(FULL, 90).
%% And when so many streams could not be read.
-define(MAX_FAILED, 100).

-record(state, {server_host :: binary(),
                runner = none :: pid() | none,
                waiting = [] :: [gen_server:from()]}).
%% What is done for one pubsub host. Times in milliseconds.
-record(progress, {service :: twitter_service:served(),
                   all :: non_neg_integer(),
                   done = 0 :: non_neg_integer(),
                   failed = 0 :: non_neg_integer(),
                   began :: integer(),
                   reported :: integer()}).

%% @doc The pubsub hosts of a vhost are served from now on, each with an empty index.
-spec served(ServerHost :: binary()) -> ok.
served(ServerHost) ->
    gen_server:cast(name(ServerHost), served).

%% @doc Returns when nothing is being read: for tests.
-spec sync(ServerHost :: binary()) -> ok.
sync(ServerHost) ->
    gen_server:call(name(ServerHost), sync, infinity).

-spec start_link(ServerHost :: binary()) -> {ok, pid()} | {error, term()}.
start_link(ServerHost) ->
    gen_server:start_link({local, name(ServerHost)}, ?MODULE, ServerHost, []).

name(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, ?MODULE).

%% @private
-spec init(ServerHost :: binary()) -> {ok, #state{}}.
init(ServerHost) ->
    process_flag(trap_exit, true),
    {ok, #state{server_host = ServerHost}}.

%% @private
-spec handle_call(sync, gen_server:from(), #state{}) -> {reply, ok, #state{}} | {noreply, #state{}}.
handle_call(sync, _From, #state{runner = none} = State) ->
    {reply, ok, State};
handle_call(sync, From, #state{waiting = Waiting} = State) ->
    {noreply, State#state{waiting = [From | Waiting]}}.

%% @private
-spec handle_cast(served | term(), #state{}) -> {noreply, #state{}}.
handle_cast(served, #state{server_host = ServerHost, runner = Former} = State) ->
    %% What that one has read is in an index that is gone.
    _ = [exit(Former, kill) || is_pid(Former)],
    Runner = case mod_twitter_opt:warm_up(ServerHost) of
                 true -> spawn_opt(?MODULE, run, [ServerHost], [link, {priority, low}]);
                 false -> none
             end,
    {noreply, State#state{runner = Runner}};
handle_cast(_Message, State) ->
    {noreply, State}.

%% @private
-spec handle_info({'EXIT', pid(), term()} | term(), #state{}) -> {noreply, #state{}} | {stop, term(), #state{}}.
handle_info({'EXIT', Runner, _Reason}, #state{runner = Runner, waiting = Waiting} = State) ->
    lists:foreach(fun(From) -> gen_server:reply(From, ok) end, Waiting),
    {noreply, State#state{runner = none, waiting = []}};
handle_info({'EXIT', _Former, killed}, State) ->
    {noreply, State};
handle_info({'EXIT', _Supervisor, Reason}, State) ->
    {stop, Reason, State};
handle_info(_Message, State) ->
    {noreply, State}.

%%% In a process of its own

%% @private
-spec run(ServerHost :: binary()) -> ok.
run(ServerHost) ->
    lists:foreach(fun warm_up/1, twitter_service:all(ServerHost)).

warm_up(#{host := Host} = Service) ->
    Now = erlang:monotonic_time(millisecond),
    try twitter_store:all_authors(Host) of
        [] ->
            ok;
        Authors ->
            ?INFO_MSG("Reading which posts there are at ~ts: ~b streams", [Host, length(Authors)]),
            authors(Authors, #progress{service = Service, all = length(Authors), began = Now, reported = Now})
    catch
        Class:Reason:Stacktrace ->
            ?WARNING_MSG("Which posts there are at ~ts is read when it is needed, for nobody could say who has "
                         "any:~n** ~ts", [Host, misc:format_exception(2, Class, Reason, Stacktrace)])
    end.

authors([], Progress) ->
    ended("All", Progress);
authors(_Authors, #progress{failed = ?MAX_FAILED} = Progress) ->
    ended("Too much could not be read, so the others are read when they are needed:", Progress);
authors([Author | Others], #progress{service = Service} = Progress) ->
    {Fits, Done} = read(Author, Progress),
    case Fits andalso has_room(Service) of
        true -> authors(Others, reported(Done));
        false -> ended("No more have room (index_size), the others are read when they are needed:", Done)
    end.

has_room(#{server_host := ServerHost, index := Index}) ->
    {StreamBytes, _, _, _, _} = twitter_nif:memory(Index),
    StreamBytes * 100 < mod_twitter_opt:index_size(ServerHost) * ?FULL.

read(Author, #progress{service = Service, done = Done, failed = Failed} = Progress) ->
    try
        {twitter_index:warm(Service, Author), Progress#progress{done = Done + 1}}
    catch
        Class:Reason:Stacktrace ->
            %% One is enough to know why.
            _ = [?WARNING_MSG("The posts of ~ts cannot be read:~n** ~ts",
                              [Author, misc:format_exception(2, Class, Reason, Stacktrace)]) || Failed =:= 0],
            {true, Progress#progress{done = Done + 1, failed = Failed + 1}}
    end.

reported(#progress{reported = Reported, all = All, done = Done} = Progress) ->
    Now = erlang:monotonic_time(millisecond),
    case Now - Reported >= ?REPORT_MS of
        true ->
            report(io_lib:format("~b % done:", [Done * 100 div All]), Progress),
            Progress#progress{reported = Now};
        false ->
            Progress
    end.

ended(How, #progress{began = Began} = Progress) ->
    Seconds = (erlang:monotonic_time(millisecond) - Began) / 1000,
    report(io_lib:format("Read in ~.1f s. ~ts", [Seconds, How]), Progress).

report(What, #progress{service = #{host := Host, index := Index}, all = All, done = Done, failed = Failed}) ->
    {StreamBytes, _, _, Posts, _} = twitter_nif:memory(Index),
    ?INFO_MSG("Which posts there are at ~ts: ~ts ~b of ~b streams, ~b posts in ~b kB~ts",
              [Host, What, Done, All, Posts, StreamBytes div 1000,
               [io_lib:format("; ~b could not be read", [Failed]) || Failed > 0]]).
